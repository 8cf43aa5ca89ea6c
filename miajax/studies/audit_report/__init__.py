"""What to hand on: a finished run, import or audited target as a report for those who answer for a model's privacy."""
