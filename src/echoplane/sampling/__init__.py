"""Which frames make which clip."""
