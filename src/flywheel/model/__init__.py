"""The model: fitted, and kept as text."""
