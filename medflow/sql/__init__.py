"""From declarations to SQL: parsers, functions, and compilation from Spark SQL to each engine."""
