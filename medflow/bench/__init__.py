"""The same claim files and rules measured four ways: plain DuckDB, the product on DuckDB and on Spark, plain Spark."""
