"""Which epsilon a campaign's models refute."""
