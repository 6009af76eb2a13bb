"""From feedback to labels: what happened, how sure that is, and since when it is known."""
