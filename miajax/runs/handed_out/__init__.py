"""What a plan holds beside its numbers: a helper for whoever trains, a README and examples, to be filled in."""
