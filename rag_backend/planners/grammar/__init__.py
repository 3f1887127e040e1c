"""The grammar planner: words to tagged phrases, phrases to a typed query, with every word accounted for. No model, no network."""
