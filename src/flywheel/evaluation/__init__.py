"""The evidence about a candidate, and the gate that decides on it."""
