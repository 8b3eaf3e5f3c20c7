"""Settings of Sphinx."""

from docutils import nodes
from latex2mathml.converter import convert

from medp2p import __version__

project = "medp2p"
author = "the medp2p developers"
copyright = "the medp2p developers, Apache-2.0"
version = release = __version__

extensions = ["myst_nb"]
nb_execution_mode = "off"  # a test executes the notebook
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "medp2p"
html_math_renderer = "mathml"  # formulae are shown without a script from elsewhere
exclude_patterns = ["_build"]


def inline_math(writer, node):
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block_math(writer, node):
    writer.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
