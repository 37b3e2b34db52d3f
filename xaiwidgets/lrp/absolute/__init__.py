"""absLRP: one rule for every operation, contrasted against all other classes. Its rules and contrast know nothing of `LRP`, which
uses them; its explainer is an `LRP`. It may import what `xaiwidgets.lrp` may."""
