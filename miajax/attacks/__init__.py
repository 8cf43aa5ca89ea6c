"""Signals to scores: pure array functions, one attack family a file, one registry."""
