"""The two tables from outside: where they come from, how they are stored, and which rows are good."""
