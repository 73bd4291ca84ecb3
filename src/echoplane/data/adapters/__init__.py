"""One module for each layout in which public data sets lie on disk."""
