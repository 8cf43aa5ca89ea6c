"""Signals that were computed elsewhere, under every attack that they allow."""
