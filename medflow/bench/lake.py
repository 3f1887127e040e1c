"""A lake of the sample to ask: the one that was measured or asked before, or one that is built now and not measured."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from medflow.bench.measure import measured
from medflow.bench.plan import RUN_DATE, Order, Site
from medflow.errors import MedflowError

_BUILT_BEFORE = ("b", "answers", "asked")


def lake_to_ask(order: Order, report: Callable[[str], None]) -> Path:
    """The lake's home.

    Raises:
        MedflowError: the sample or the lake cannot be made.
    """
    for name in _BUILT_BEFORE:
        if (order.folder / name).is_dir():
            return order.folder / name
    site = Site(order)
    if not site.landing.is_dir():
        report(f"generating {order.claims:,} claims")
        site.make_input()
    report("building a lake to ask")
    return _built(site)


def _built(site: Site) -> Path:
    home = site.lake("asked", site.landing)
    declared = ["--home", str(home), "--knowledge-base", str(site.order.knowledge_base)]
    made = measured([sys.executable, "-m", "medflow", *declared, "run", "--date", RUN_DATE, "--json"])
    if made.code:
        raise MedflowError(f"no lake could be built to ask: {made.said.strip() or 'it said nothing'}")
    return home
