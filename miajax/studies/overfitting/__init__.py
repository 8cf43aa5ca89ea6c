"""How vulnerability grows while models train."""
