#!/bin/sh
# The databases beside `lake`, and the account that Trino reads the catalog with; run once, when the cluster is made.
set -eu
reader=$(sed -n 's/^TRINO_CATALOG_PASSWORD=//p' /secrets/medflow.env)
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d lake -v password="'$reader'" <<SQL
CREATE DATABASE app;
CREATE DATABASE airflow;
CREATE ROLE trino_reader LOGIN PASSWORD :password NOSUPERUSER NOCREATEDB NOCREATEROLE;
ALTER ROLE trino_reader SET default_transaction_read_only = on;
SQL
