"""What stays on disk: run folder, manifest, checkpoints, tables."""
