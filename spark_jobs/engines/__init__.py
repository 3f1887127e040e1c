"""Build engines: the same named Spark SQL steps run by DuckDB in process, or by Spark."""
