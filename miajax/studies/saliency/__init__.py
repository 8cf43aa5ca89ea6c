"""Where models look, and what having seen an example changes."""
