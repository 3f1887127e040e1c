"""Declarations as typed values, and the loader that checks them all at once."""
