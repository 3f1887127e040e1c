"""New files in the landing folder as an asset: the triggerer looks, and an event starts the pipeline.

Whether a file is new is the ledger's word, so that an event too many starts a run that finds nothing and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import Asset, AssetWatcher, conf
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

EVERY_SECONDS = 30  # AIRFLOW__MEDFLOW__LOOK_EVERY_SECONDS
WAITING = ("spark_jobs.waiting", "--quick", "--json")


class LandingTrigger(BaseEventTrigger):
    """Fires once for each set of files that the ledger has never seen, or that a person released for another try."""

    def __init__(self, every_seconds: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.every_seconds = every_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "dags.landing.LandingTrigger", {"every_seconds": self.every_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, again and again. A set is told when two looks have found it the same: files may still be arriving."""
        told = before = None
        while True:
            found = await self._look()
            if found and found["new"] and before == found["fingerprint"] != told:
                told = found["fingerprint"]
                yield TriggerEvent({"new": found["new"]})  # type: ignore[no-untyped-call]
            before = found["fingerprint"] if found else None
            await asyncio.sleep(self.every_seconds)

    async def _look(self) -> dict[str, Any] | None:
        """What waits; None: a look failed, which is told in the triggerer's log."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *WAITING, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        printed, said = await process.communicate()
        if process.returncode:
            self.log.warning("cannot look for files: %s", said.decode(errors="replace").strip())
            return None
        found: dict[str, Any] = json.loads(printed)
        return found


def landing_asset() -> Asset:
    """The landing folder; its events start `claims_medallion`."""
    every = conf.getint("medflow", "look_every_seconds", fallback=EVERY_SECONDS)
    watcher = AssetWatcher(name="new_files", trigger=LandingTrigger(every_seconds=every))
    return Asset(name="landing_files", uri="landing://files", watchers=[watcher])
