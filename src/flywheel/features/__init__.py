"""From predictions to features, point in time."""
