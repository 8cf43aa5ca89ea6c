"""The paper's figures and tables, with an index page."""
