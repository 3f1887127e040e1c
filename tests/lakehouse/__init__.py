"""Lake access: ledger, lock, tables, releases."""
