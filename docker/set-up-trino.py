"""What Trino is set up with, in the folder `argv[1]`; and its account may read the two tables of the catalog, which are made if need be."""

from __future__ import annotations

import sys
from pathlib import Path

from sqlalchemy import text

from medflow.lakehouse.catalog import Lake
from medflow.settings import load_settings
from rag_backend.engines.trino_files import READER, write_trino_files

if __name__ == "__main__":
    settings = load_settings()
    catalog = Lake.open(settings).catalog
    with catalog.engine.begin() as connection:
        connection.execute(text(f"GRANT SELECT ON iceberg_tables, iceberg_namespace_properties TO {READER}"))
    print(*write_trino_files(settings, Path(sys.argv[1])))
