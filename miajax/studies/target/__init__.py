"""One model trained elsewhere, in front of a campaign's shadow models."""
