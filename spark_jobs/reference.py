"""The knowledge base's small code lists as relations of an engine."""

from __future__ import annotations

import pyarrow as pa

from medflow.specs.knowledge_base import KnowledgeBase
from spark_jobs.engines.base import BuildEngine


def load_code_lists(engine: BuildEngine, knowledge_base: KnowledgeBase) -> None:
    """Every list that a gold table reads, under its own name."""
    wanted = {name for table in knowledge_base.gold.values() for name in table.reads_codes}
    for name in sorted(wanted):
        engine.rows(name, pa.Table.from_pylist(list(knowledge_base.codes[name].rows)))
