"""The two tables of the outside world: where they come from, how they are stored, and which rows are good."""
