"""Labelled cines: layouts, label tables, splits by patient, augmentation, datasets."""
