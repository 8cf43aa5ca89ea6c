"""Differentially private training: clipping, noise, sampling and their accounting as one object."""
