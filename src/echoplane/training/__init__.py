"""Fit, cross-validate, track."""
