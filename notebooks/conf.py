"""Makes a site of the book: ``python -m tests.book`` calls Sphinx with this file.

Nothing is fetched, when it is built or when it is read: formulas are MathML, widgets are their saved pages.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
# The package of this checkout, its map of imports, and the parts of the site.
sys.path[:0] = [str(ROOT), str(HERE)]

from book import kernel

import xaiwidgets

project = "xaiwidgets"
author = "The xaiwidgets developers"
copyright = "The xaiwidgets developers, BSD-3-Clause"
version = release = xaiwidgets.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinx_copybutton",
    "book.formulas",
    "book.pages",
    "book.running",
    "book.rooms",
    "book.house",
]
exclude_patterns = ["_build", "book", "pictures", "**/.ipynb_checkpoints", "concepts-of-hans"]
# Two rooms may use one name: a type without its room then links to neither.
suppress_warnings = ["ref.python"]

# -- pages that run --------------------------------------------------------------------------------------------------
BUILD = Path(os.environ.get("XAIWIDGETS_BOOK_BUILD", ROOT / "build" / "book"))
nb_execution_mode = "cache"
WHAT_RUNS = (ROOT / "xaiwidgets", HERE / "book" / "kernel.py", HERE / "book" / "figures.py")
nb_execution_cache_path = str(BUILD / "cache" / kernel.fingerprint(*WHAT_RUNS))
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
# Progress goes to stderr, and a page is read when it is done.
nb_output_stderr = "remove"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None),
    ("html", "application/javascript", None),
]
kernel.prepare(BUILD / "ipython", Path(nb_execution_cache_path) / "pages", HERE)

# -- text ------------------------------------------------------------------------------------------------------------
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_inline", "attrs_block"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
# An attribute that autodoc lists as a field is described once.
napoleon_use_ivar = True
napoleon_custom_sections = [("Raises (once images are explained)", "params_style")]

# -- looks -----------------------------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "xaiwidgets"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
# Summaries would be fetched, which pages opened from files may not do.
html_show_search_summary = False
html_sidebars = {"index": []}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "article_footer_items": [],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
