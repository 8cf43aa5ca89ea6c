"""Whether another set of shadow models names the same records."""
