"""From two tables to a project of one's own: look at them, propose what conf says of them, and write it."""
