"""Candidate files on their way into an engine: a file in, its framed records out, each with file_id and ingest_date.

Runs in the driver or in a Spark worker; what it finds besides records is a value that can be sent back as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import BinaryIO

import pyarrow as pa

from medflow.errors import LandingError, VerificationError
from medflow.lakehouse.storage import Storage
from spark_jobs.framing import Dialect, FileRejected, Trailer, batch_schema, frame
from spark_jobs.landing import HashingReader


@dataclass(frozen=True)
class FileToFrame:
    """One candidate: where it lies and who answers there, the name that people know, the SHA-256 it must have, when it was first seen."""

    path: str
    name: str
    sha256: str
    ingest_date: date
    dialect: Dialect
    storage: Storage = field(default_factory=Storage)


@dataclass
class Framing:
    """What framing found in one file. `rejected`: code and detail. `broken`: why the file cannot be read at all."""

    sha256: str
    records: int = 0
    trailer: Trailer | None = None
    warnings: tuple[str, ...] = ()
    rejected: tuple[str, str] | None = None
    broken: str | None = None
    disagreement: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Framing:
        """The inverse of `to_json`."""
        content = json.loads(text)
        trailer, rejected = content["trailer"], content["rejected"]
        content |= {"warnings": tuple(content["warnings"]), "rejected": tuple(rejected) if rejected else None}
        return cls(**{**content, "trailer": Trailer(**trailer) if trailer else None})

    def raise_broken(self) -> None:
        """Raises LandingError: the file cannot be read or changed meanwhile. VerificationError: two readings of it differ."""
        if self.broken:
            raise LandingError(self.broken)
        if self.disagreement:
            raise VerificationError(self.disagreement)


def intake_schema(dialect: Dialect) -> pa.Schema:
    """The columns of framed records: those of the dialect, then file_id and ingest_date."""
    return batch_schema(dialect).append(pa.field("file_id", pa.string())).append(pa.field("ingest_date", pa.date32()))


def framed_batches(file: FileToFrame, found: Framing) -> Iterator[pa.RecordBatch]:
    """The file's records; `found` is complete when they are exhausted, and says it if they are void."""
    try:
        with file.storage.open(file.path) as stream:
            yield from _framed(file, stream, found)
    except OSError as error:  # of opening it, or of any read
        problem = file.storage.problem(error, file.path) or f"cannot be read ({error.strerror or type(error).__name__})"
        found.broken = f"{file.name} {problem}; if it is lost, put it back, or `medflow files exclude` it"


def _framed(file: FileToFrame, stream: BinaryIO, found: Framing) -> Iterator[pa.RecordBatch]:
    reader = HashingReader(stream)
    try:
        framed = frame(reader, file.dialect)  # type: ignore[arg-type]
        for batch in framed.batches():
            yield _named(batch, file)
        found.trailer, found.records = framed.trailer, framed.records
        found.warnings = tuple(f"{warning.code}: {warning.detail}" for warning in framed.warnings)
    except FileRejected as error:
        found.rejected = (error.code, error.detail)
    except VerificationError as error:
        found.disagreement = f"{file.name}: {error}"
    if reader.hexdigest() != file.sha256:
        found.broken = f"{file.name} changed while it was read; run again when it has been written whole"


def _named(batch: pa.RecordBatch, file: FileToFrame) -> pa.RecordBatch:
    count = batch.num_rows
    same = pa.array([0] * count, pa.int8())
    columns = [*batch.columns, pa.array([file.sha256], pa.string()).take(same), pa.array([file.ingest_date], pa.date32()).take(same)]
    return pa.RecordBatch.from_arrays(columns, schema=intake_schema(file.dialect))
