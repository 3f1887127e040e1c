"""Whether a batch may still go on from where it began: nothing it was built from has changed since. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from medflow.errors import UsageError
from medflow.lakehouse.batch_steps import FinishedJob

if TYPE_CHECKING:
    from spark_jobs.carried import Carried
    from spark_jobs.pipeline import Site

COMMAND = "python -m spark_jobs"
_IN_WORK = frozenset({"discovered", "bronze", "silver", "gated", "refused"})


def check_unchanged(site: Site, before: FinishedJob, carried: Carried) -> None:
    """Compare the lake with what the batch began from, and with the job that goes before.

    Raises:
        UsageError: it has changed: what, and that the batch begins again.
    """
    for change in _changes(site, before, carried):
        raise must_begin_again(before.batch_id, change)


def must_begin_again(batch_id: str, because: str) -> UsageError:
    """The error that says so."""
    return UsageError(f"batch {batch_id} cannot go on: {because}. It begins again with: {COMMAND} bronze")


def _changes(site: Site, before: FinishedJob, carried: Carried) -> Iterator[str]:
    from spark_jobs.release import main_of

    current = site.ledger.current_release()
    if current and current.release != carried.origin.release:
        yield f"release {current.release} was published meanwhile"
    if carried.declarations != site.knowledge_base.hash:
        yield "the declarations have changed since it began"
    yield from _files_taken_away(site, carried)
    tables = site.lake().tables(list(before.heads))
    for name, head in before.heads.items():
        if name not in tables or main_of(tables[name]) != carried.origin.mains.get(name):
            yield f"another writer has moved {name}"
        elif tables[name].metadata.snapshot_by_id(head) is None:
            yield f"what it had built of {name} was expired"


def _files_taken_away(site: Site, carried: Carried) -> Iterator[str]:
    """A person or another run may decide on a file while no job holds the lock."""
    entries = {entry.key: entry for entry in site.ledger.files()}
    for file in carried.batch.files:
        entry = entries.get((file.payer, file.sha256))
        if entry is None or entry.state not in _IN_WORK:
            yield f"{file.name} of {file.payer} is {entry.state if entry else 'unknown'} now"
        elif entry.batch_id != carried.batch.id:
            yield f"{file.name} of {file.payer} was taken up by batch {entry.batch_id}"
