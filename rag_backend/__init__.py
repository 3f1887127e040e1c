"""The assistant's service: a question in, a right table or an honest refusal out."""
