"""``python -m experiments.NAME``: the same as ``miajax NAME``."""
