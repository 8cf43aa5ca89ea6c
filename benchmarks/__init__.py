"""One comparison a file; results/ holds JSON with the machine it ran on."""
