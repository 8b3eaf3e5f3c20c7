"""Settings of Sphinx."""

from medp2p import __version__

project = "medp2p"
author = "the medp2p developers"
copyright = "the medp2p developers, Apache-2.0"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "medp2p"
exclude_patterns = ["_build"]
