"""Pictures as SVG: pure functions from numbers to markup, no scripts, colours by CSS class."""
