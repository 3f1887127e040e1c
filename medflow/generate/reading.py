"""What a right reader finds in a written draft: its lines in file order, their errors, and what is quarantined for them.

In: a finished `Draft`. Out: a `Reading`. Decides by what was meant; parses no text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from medflow.generate.draft import Draft
from medflow.generate.warnings import line_warnings


@dataclass(frozen=True)
class Reading:
    """One row a line as read. `record`: place among all records, copies last; `index`: line group, 0 for an unreadable record.

    `line`: row in the batch. `own`: has an error of its own. `quarantined`: own, or a sibling's. `accepted`: of each
    version of the batch, whether it is loaded. `rules`: rule → lines that fail, warnings too. `record_file`: of each record.
    """

    record: np.ndarray
    index: np.ndarray
    line: np.ndarray
    file: np.ndarray
    billed: np.ndarray
    own: np.ndarray
    quarantined: np.ndarray
    accepted: np.ndarray
    record_file: np.ndarray
    rules: Counter[str]


def read_back(draft: Draft) -> Reading:
    """Read the draft as the contract says."""
    record, index, line = _lines_as_read(draft)
    versions = draft.batch.versions
    version = draft.batch.lines.version[line]
    own = np.zeros(len(draft.billed), bool)
    own[list(draft.errors)] = True
    accepted = _accepted(draft, draft.batch.lines.version[own])
    quarantined = ~accepted[version]
    copied = np.array(draft.copies, np.int64)
    return Reading(
        record=record,
        index=index,
        line=line,
        file=versions.file[version],
        billed=draft.billed[line],
        own=own[line],
        quarantined=quarantined,
        accepted=accepted,
        record_file=versions.file[np.append(draft.record_version, draft.record_version[copied])],
        rules=_rules(draft, line, index > 0) + Counter(claim_incomplete=int((quarantined & ~own[line]).sum())),
    )


def _lines_as_read(draft: Draft) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(record, index, line) of every line, those of copies last; an unreadable record is one line with index 0."""
    lines = draft.batch.lines
    line = np.arange(len(lines.version))
    record = lines.version if draft.layout.wide else line
    resized = np.isin(record, list(draft.resized))
    kept = ~resized | (lines.number == 1) if draft.layout.wide else np.ones(len(line), bool)
    group = lines.number if draft.layout.wide else np.ones(len(line), np.int64)
    index = np.where(resized, 0, group)
    copies = [(draft.record_count + place, row) for place, source in enumerate(draft.copies) for row in draft.lines_in(source)]
    copied_record, copied_line = np.array(copies, np.int64).reshape(-1, 2).T
    return (
        np.concatenate([record[kept], copied_record]),
        np.concatenate([index[kept], group[copied_line]]),
        np.concatenate([line[kept], copied_line]),
    )


def _accepted(draft: Draft, failed_versions: np.ndarray) -> np.ndarray:
    """A version with a line in error is set aside; where it cannot be told which version, all of the claim in that file."""
    versions = draft.batch.versions
    accepted = np.ones(len(versions.claim), bool)
    accepted[failed_versions] = False
    place = versions.claim * (int(versions.file.max(initial=0)) + 1) + versions.file
    accepted[np.isin(place, place[list(draft.untold)])] = False
    return accepted


def _rules(draft: Draft, line: np.ndarray, readable: np.ndarray) -> Counter[str]:
    times = np.bincount(line, minlength=len(draft.billed)).tolist()
    rules: Counter[str] = Counter()
    for row, failed in draft.errors.items():
        for rule in failed:
            rules[rule] += times[row]
    for rule, warns in line_warnings(draft.batch).items():
        rules[rule] += int(warns[line[readable]].sum())
    return rules
