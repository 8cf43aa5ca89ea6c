"""What is attacked: data sets, readers, validation, content hash, shadow splits."""
