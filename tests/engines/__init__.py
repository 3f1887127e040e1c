"""Query engines: one contract over all, and the walls of each with the validator off."""
