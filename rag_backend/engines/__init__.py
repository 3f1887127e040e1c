"""Query engines: checked SQL and a policy in, a table out. `base` is the seam; each engine is a wall of its own beneath the validator."""
