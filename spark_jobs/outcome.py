"""What a run tells its caller: `medflow run --json` prints exactly this."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class FileOutcome:
    """One file of the run: published, rejected with its reason, or refused with its batch."""

    payer: str
    name: str
    sha256: str
    state: str
    records: int | None = None
    lines: int | None = None
    reason_code: str | None = None
    reason: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunOutcome:
    """The end of a run. `release` is null when nothing changed.

    `pipeline_seconds`: from the look into the landing folder to the published release, without the import of engines.
    """

    batch_id: str | None
    release: int | None
    files: tuple[FileOutcome, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    gate: dict[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    pipeline_seconds: float = 0.0

    @property
    def all_rejected(self) -> bool:
        return bool(self.files) and self.release is None and all(file.state == "rejected" for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
