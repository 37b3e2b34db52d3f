"""What makes a site of the book, beside Sphinx: pages with live widgets, formulas, the reference, the picture of the house."""
