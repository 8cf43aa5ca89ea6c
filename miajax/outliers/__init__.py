"""Why an example leaks: geometry, memorisation, training dynamics."""
