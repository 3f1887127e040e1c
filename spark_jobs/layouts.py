"""A declared layout as the dialect that framing reads by. Pure."""

from __future__ import annotations

from medflow.specs.payer import PayerLayout
from spark_jobs.framing import Dialect


def dialect_of(layout: PayerLayout) -> Dialect:
    """Delimiter, quote, header names; a damaged record still tells its claim id where that lies before the damage."""
    hints = tuple(name for name, feeds in layout.columns.items() if "claim_id" in feeds)
    return Dialect(
        delimiter=layout.file.delimiter,
        quote=layout.file.quote,
        encoding=layout.file.encoding,
        trailer=layout.file.trailer,
        columns=layout.header_names,
        optional=frozenset(layout.optional),
        other_columns=layout.other_columns,
        hint_columns=hints,
    )
