"""Figures about answers: accuracy, aggregation, calibration, conformal sets, intervals."""
