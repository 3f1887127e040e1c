"""How tables are built: discover, frame, bronze, silver, gate, gold, verify, publish."""
