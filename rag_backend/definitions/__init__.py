"""Questions of what a word means: recognised by their wording, answered from declarations alone, never from data.

`catalogue` is what can be asked about, `frames` how English asks, `reading` puts the two together, `sentences` writes the answer.
"""
