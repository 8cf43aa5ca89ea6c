"""A finished study as a section of a model card."""
