"""Which attack for which number of shadow models."""
