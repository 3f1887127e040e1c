"""The nine agents, each a plain function from a turn to a turn, and the one table that says who follows whom (`flow`)."""
