"""From a typed query to SQL: what can be asked, checked against the semantic model, compiled for each engine."""
