"""Scores to figures of merit, in float64 on the host."""
