"""What is said of the pipeline, as OpenAPI shows it, and how pages of it are asked for. No raw content is in any of it."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from medflow.lakehouse.ledger_entries import FileState

_FAR = 1_000_000


class Asked(BaseModel):
    """Parameters of an address; others than these are refused."""

    model_config = ConfigDict(extra="forbid")


class ReleasesAsked(Asked):
    """A page of releases, the newest first."""

    limit: int = Field(default=20, ge=1, le=50)
    offset: int = Field(default=0, ge=0, le=_FAR)


class BatchesAsked(Asked):
    """A page of batches, the newest first."""

    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=_FAR)


class FilesAsked(Asked):
    """A page of files, the newest first; optionally of one state."""

    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0, le=_FAR)
    state: FileState | None = None


class QualityAsked(Asked):
    """So many checks, the newest first."""

    limit: int = Field(default=200, ge=1, le=1000)


class Released(BaseModel):
    """A release and the rows of its tables; none where it is no longer kept."""

    release: int
    parent: int | None
    restored: int | None
    batch_id: str
    kind: str
    run_date: date
    created_at: datetime
    expired_on: date | None
    tables: dict[str, int]


class Releases(BaseModel):
    """A page of releases."""

    total: int
    releases: list[Released]


class Batch(BaseModel):
    """A batch: what it did, how it went, of how many files it is."""

    batch_id: str
    kind: str
    state: str
    release: int | None
    run_date: date
    message: str | None
    files: int


class Batches(BaseModel):
    """A page of batches."""

    total: int
    batches: list[Batch]


class File(BaseModel):
    """A file of a source and what became of it."""

    source: str
    name: str
    sha256: str
    bytes: int
    ingest_date: date
    state: str
    reason_code: str | None
    reason: str | None
    batch_id: str | None
    release: int | None
    records: int | None
    lines: int | None


class Files(BaseModel):
    """A page of files, and how many there are of each state."""

    total: int
    states: dict[str, int]
    files: list[File]


class Check(BaseModel):
    """What a rule, a check or a gate found."""

    batch_id: str
    source: str
    layer: str
    rule: str
    severity: str
    checked: int | None
    failed: int | None
    rate: float | None
    threshold: float | None
    outcome: str
    checked_at: datetime


class Quality(BaseModel):
    """The quality log of the current release."""

    release: int
    checks: list[Check]


class SetAside(BaseModel):
    """Lines that a rule set aside; a line that broke two rules counts under both."""

    source: str
    rule: str
    status: str
    lines: int


class Quarantine(BaseModel):
    """Counts of the queue of the current release."""

    release: int
    counts: list[SetAside]
