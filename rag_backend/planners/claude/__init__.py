"""The planner that asks a model: what it may say is a closed set of tools, and what it says is held against the words of the question."""
