"""Planners turn a question in plain words into a typed query, a question back, or a refusal."""
