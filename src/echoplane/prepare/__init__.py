"""Cine to prepared Cine: find the sector, black out the rest, crop, resize. A recipe is data."""
