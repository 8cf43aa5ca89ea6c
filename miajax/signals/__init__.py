"""What models reveal: logits of an ensemble, scaled logits and their kin."""
