"""Tests that start Spark: one session for a worker."""
