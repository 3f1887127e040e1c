"""What the ledger holds, as values: files, batches and releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from medflow.lakehouse.batch_ids import FileKey

FileState = Literal["discovered", "bronze", "silver", "gated", "published", "rejected", "refused", "excluded", "withdrawn"]
BatchKind = Literal["load", "replay", "waive", "rebuild", "restore", "recovery", "compact"]
BatchState = Literal["running", "refused", "published", "failed"]


@dataclass(frozen=True)
class SeenFile:
    """A file as found in the landing folder; `name` is its path below it."""

    payer: str
    sha256: str
    name: str
    bytes: int


@dataclass(frozen=True)
class FileEntry:
    """A file in the ledger. `declarations` is the hash of its payer's declaration when it was rejected or refused."""

    payer: str
    sha256: str
    name: str
    bytes: int
    ingest_date: date
    state: FileState = "discovered"
    reason_code: str | None = None
    reason: str | None = None
    declarations: str | None = None
    batch_id: str | None = None
    release: int | None = None
    records: int | None = None
    lines: int | None = None
    billed_cents: int | None = None
    warnings: tuple[str, ...] = ()
    retry: bool = False

    @property
    def key(self) -> FileKey:
        return self.payer, self.sha256


@dataclass(frozen=True)
class BatchEntry:
    """A batch. `result` = what it found; `heads` stays empty, since each job keeps those that it leaves (see `batch_steps`)."""

    batch_id: str
    kind: BatchKind
    state: BatchState
    run_date: date
    declarations: str
    release: int | None = None
    heads: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    message: str | None = None


@dataclass(frozen=True)
class ReleaseEntry:
    """A release. `parent` is the release whose content it builds on; `restored` the one that it brings back."""

    release: int
    parent: int | None
    batch_id: str
    kind: BatchKind
    run_date: date
    created_at: datetime
    manifest: str
    declarations: str
    restored: int | None = None
