"""Settings of the documentation; ``make docs`` builds it, and a warning fails."""

from __future__ import annotations

import srdiff

project = "srdiff"
author = copyright = "the srdiff developers"
release = version = srdiff.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
html_theme = "furo"
html_title = "srdiff"
html_theme_options = {"navigation_with_keys": True}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
add_module_names = False
# README and its like link to files that are no pages here.
suppress_warnings = ["myst.xref_missing", "myst.header"]
