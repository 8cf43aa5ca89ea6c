"""What protects, from whom, and at what price."""
