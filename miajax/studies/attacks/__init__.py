"""Every attack from one set of shadow models, side by side."""
