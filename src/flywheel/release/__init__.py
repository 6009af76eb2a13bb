"""Releases as tags: what serves, who agreed to it, and the chain of proof behind it."""
