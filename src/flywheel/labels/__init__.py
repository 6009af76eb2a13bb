"""From feedback to labels: what happened, how certain that is, and since when it is known."""
