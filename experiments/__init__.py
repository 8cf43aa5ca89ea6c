"""One command a file: flags, call the study, print."""
