"""Prepared cines on disk: safe, memory-mapped, resumable."""
