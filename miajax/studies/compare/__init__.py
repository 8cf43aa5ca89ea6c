"""Before and after: two runs on the same data, by paired differences."""
