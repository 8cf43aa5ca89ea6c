"""What studies that attack all models share: entries of the results, evidence, sentences, examples, threat model."""
