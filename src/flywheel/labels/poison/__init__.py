"""Signs by which sources that poison are known: each module finds one kind, morning by morning."""
