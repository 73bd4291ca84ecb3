"""Networks by name, and the bundle that carries one with all it needs."""
