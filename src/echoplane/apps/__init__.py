"""The ends that print, exit and read the environment."""
