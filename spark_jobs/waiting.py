"""`python -m spark_jobs.waiting`: whether a run would find something to do. Reads landing folder and ledger; changes nothing.

Prints counts and, for the one who asks again and again, a fingerprint of what is new; no name of a file.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import click

from medflow.cli import ended
from medflow.lakehouse.batch_ids import FileKey
from medflow.lakehouse.ledger_entries import FileEntry
from medflow.settings import load_settings
from spark_jobs.landing import Landing, landing_files
from spark_jobs.pipeline import Site


@dataclass(frozen=True)
class Waiting:
    """`new`: files never seen, or released by a person for another try. `again`: others that a run would take once more."""

    new: int
    again: int
    fingerprint: str


@dataclass(frozen=True)
class _KnownByName(Landing):
    """A landing folder where a file of a name and size that the ledger has seen is taken for that file, unread."""

    seen: Mapping[str, str] = field(default_factory=dict)

    def hash_of(self, name: str) -> str:
        return self.seen.get(name) or super().hash_of(name)


def waiting(site: Site, payer: str | None = None, *, quick: bool = False) -> Waiting:
    """What waits, of one payer or of all; `quick` reads only files whose name or size is new.

    Raises:
        LandingError, UsageError: the landing folder cannot be used. CatalogError: the ledger cannot be read.
    """
    entries = site.ledger.files()
    known = {entry.key for entry in entries}
    landing = _known_by_name(site.landing, entries) if quick else site.landing
    here = [(file.payer, file.sha256) for file in landing_files(landing, site.knowledge_base.layouts)]
    candidates = {entry.key: entry.retry for entry in site.ledger.candidates(site.layout_hashes)}
    lying = {key for key in here if payer in (None, key[0])}
    new = {key for key in lying if key not in known or candidates.get(key)}
    again = {key for key in lying & candidates.keys() if not candidates[key]}
    return Waiting(len(new), len(again), _fingerprint(new))


def _known_by_name(landing: Landing, entries: Iterable[FileEntry]) -> Landing:
    contents = landing.contents()
    sizes = contents.files if contents else {}
    seen = {entry.name: entry.sha256 for entry in entries if sizes.get(entry.name) == entry.bytes}
    return _KnownByName(landing.folder, landing.storage, seen)


def _fingerprint(files: Iterable[FileKey]) -> str:
    return hashlib.sha256(repr(sorted(files)).encode()).hexdigest()[:16]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--payer", help="Look into this payer's folder alone.")
@click.option("--quick", is_flag=True, help="Take a file of known name and size for the one that was seen, unread.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def look(*, payer: str | None, quick: bool, as_json: bool) -> None:
    """Say how many files wait in the landing folder."""
    found = waiting(Site.open(load_settings()), payer, quick=quick)
    click.echo(json.dumps(asdict(found)) if as_json else f"{found.new} new files wait, and {found.again} that were tried before")


def main() -> int:
    """Look; returns the exit code."""
    return ended(look, "python -m spark_jobs.waiting", sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
