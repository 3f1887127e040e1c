"""Rebuilds that are due: what the current release was built from against what is declared now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medflow.lakehouse.releases import Release
from medflow.specs.knowledge_base import KnowledgeBase

if TYPE_CHECKING:
    from spark_jobs.run import Batch


@dataclass(frozen=True)
class Due:
    """Fingerprints of the release (empty before the first), and the tables whose declarations changed since.

    `gone`: sentences on candidates that are no longer in the landing folder.
    """

    released: Mapping[str, str]
    silver: tuple[str, ...]
    gold: tuple[str, ...]
    gone: tuple[str, ...] = ()

    @property
    def notices(self) -> tuple[str, ...]:
        return (*self.gone, *(_notice(name) for name in (*self.silver, *self.gold)))

    def notices_after(self, batch: Batch) -> tuple[str, ...]:
        """What is still due when `batch` is published: a load rebuilds changed gold tables by itself."""
        left = [name for name in self.silver if _table(name) not in batch.rebuild]
        left += [name for name in self.gold if not batch.brings_files and name not in batch.rebuild]
        return (*self.gone, *(_notice(name) for name in left))

    def fingerprints_after(self, knowledge_base: KnowledgeBase, batch: Batch) -> dict[str, str]:
        """What the new release is built from: a table that stays due keeps its old fingerprint, so that it stays told."""
        now = knowledge_base.fingerprints
        kept = {name: self.released[name] for name in self.silver if name in self.released and _table(name) not in batch.rebuild}
        if not batch.brings_files:
            kept |= {name: self.released[name] for name in self.gold if name in self.released and name not in batch.rebuild}
        return {**now, **kept}


def rebuilds_due(release: Release | None, knowledge_base: KnowledgeBase) -> Due:
    """Compare the current release with the declarations; nothing is due before the first release."""
    if release is None:
        return Due({}, (), ())
    released = release.fingerprints
    changed = [name for name, value in knowledge_base.fingerprints.items() if released.get(name, value) != value]
    new_gold = [name for name in knowledge_base.gold if name not in released]
    gold = tuple(sorted({name for name in changed if name in knowledge_base.gold} | set(new_gold)))
    return Due(released, tuple(name for name in changed if name not in knowledge_base.gold), gold)


def _table(name: str) -> str:
    return name.partition("#")[0]


def _notice(name: str) -> str:
    table, _, payer = name.partition("#")
    of = f" ({payer})" if payer else ""
    return f"a rebuild is due: the declarations of {table}{of} changed since the release; medflow run --rebuild {table}"
