"""Retrieval: declarations as documents, found by their words and, where they were set up, by vectors; each shown only to who may read it.

`documents` is what there is, `retriever` finds it, `context` and `nearest` are what it is found for.
"""
