"""GitHub: its API, pull requests, retrains, alerts and rules."""
