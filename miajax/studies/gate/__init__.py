"""Ceilings on the figures of a finished study, for a pipeline that must stop where a model gives away too much."""
