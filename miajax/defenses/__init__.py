"""What protects: logit post-processing; training-time defences are fields of the recipe."""
