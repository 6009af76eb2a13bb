"""The model: fitted, calibrated, and kept as text."""
