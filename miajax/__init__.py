"""miajax: what a trained classifier gives away about its training data, why, and what protects it."""

__version__ = "0.1.0"
