"""A beating heart, sliced and scanned: cines whose view, pose and phase are known."""
