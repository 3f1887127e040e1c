"""Access to the lake: catalog database, ledger of files and releases, writer lock, tables, releases as readers see them."""
