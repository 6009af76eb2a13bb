"""One turn of the loop: compose, move the clock, run the pipeline, decide."""
