"""One verb each: the functions that the command line and the API share."""
