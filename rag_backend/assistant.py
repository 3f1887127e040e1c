"""The assistant of one lake and one role, put together: the only place that chooses adapters."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from medflow.errors import UsageError
from medflow.lakehouse.database import connect
from medflow.lakehouse.releases import Release, read_release, release_stamp
from medflow.lakehouse.storage import Storage
from medflow.lakehouse.wholeness import read_whole_release
from medflow.settings import Settings
from medflow.specs.examples import load_examples
from medflow.specs.glossary import load_glossary
from medflow.specs.policy import Policy, load_policies
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Limits, Services, Turn
from rag_backend.answer import answer_of
from rag_backend.cache.caches import Caches
from rag_backend.cache.keys import View, digest
from rag_backend.cache.planner import CachedPlanner
from rag_backend.engines.base import Cancellation, EngineUnavailable, Query
from rag_backend.engines.opened import open_engines
from rag_backend.engines.reader_files import FOLDER
from rag_backend.examples import example_patterns
from rag_backend.model.base import Model
from rag_backend.planners.base import Outcome
from rag_backend.planners.claude.set_up import Asking, claude_planner
from rag_backend.planners.claude.wording import worded_by
from rag_backend.planners.grammar.lexicon import Lexicon, Values
from rag_backend.planners.grammar.plan import plan
from rag_backend.query.typed_query import TypedQuery
from rag_backend.retrieval.documents import Knowledge
from rag_backend.retrieval.retriever import Retriever
from rag_backend.small_cells.shown import ShownInProcess
from rag_backend.values import ReleaseView, values_of
from rag_backend.version import version_of


@dataclass(frozen=True)
class GrammarPlanner:
    """The built-in planner: no model, no network."""

    lexicon: Lexicon
    name: str = "grammar"

    def plan(self, question: str, today: date) -> Outcome:
        return plan(question, self.lexicon, today)


@dataclass(frozen=True)
class Assistant:
    """Answers questions on one release for one role. Built once, never changed: as many threads as like ask the same one."""

    services: Services
    values: Values = field(default_factory=Values)

    def ask(self, question: str, today: date, cancel: Cancellation | None = None, *, user: str = "") -> dict[str, Any]:
        """A question in plain words; the answer as ASSISTANT 7 writes it. `user`: whose earlier answers limit what small cells leave."""
        return self._answered(Turn(question, today, cancel or Cancellation(), user=user))

    def query(
        self, query: TypedQuery, today: date, cancel: Cancellation | None = None, *, question: str = "", user: str = ""
    ) -> dict[str, Any]:
        """A question that is typed already; `question` is the text that it was read from, if there was one. `user`: as for `ask`."""
        return self._answered(Turn(question, today, cancel or Cancellation(), parts=(query,), user=user))

    def sql(self, text: str, today: date, cancel: Cancellation | None = None) -> dict[str, Any]:
        """SQL that the user typed, through the same proof and the same walls."""
        return self._answered(Turn(text, today, cancel or Cancellation(), kind="sql", sql=text, lane="sql"))

    def without_model(self) -> Assistant:
        """The same, asking no model."""
        return replace(self, services=replace(self.services, asks=None, wording=None))

    def check(self) -> str:
        """See that questions of the role can be answered; what is told where only the spare engine can.

        Raises:
            QueryError: they cannot.
        """
        services = self.services
        one = Query("SELECT 1 AS one", services.release.number, services.policy, 1, services.limits.seconds)
        try:
            services.engine.run(one, Cancellation())
        except EngineUnavailable as error:
            if services.spare is None:
                raise
            services.spare.run(one, Cancellation())
            return f"{services.spare.name} answers instead of {services.engine.name}: {error}"
        return ""

    def _answered(self, turn: Turn) -> dict[str, Any]:
        return answer_of(walk(turn, self.services), self.services)


class Assistants:
    """One lake for one role: the assistant of each release, built when it is first asked. Safe for several threads.

    Raises:
        UsageError: no such role. DeclarationError: the knowledge base.
    """

    def __init__(self, settings: Settings, role: str, model: Model | None = None) -> None:
        """`model` is who is asked where `settings.planner` asks one; whoever opened it closes it."""
        if settings.planner != "grammar" and model is None:
            raise UsageError(f"MEDFLOW_PLANNER={settings.planner} asks a model, and none is given")
        self._settings = settings
        self._asked = None if settings.planner == "grammar" else model
        self._version = version_of(settings.knowledge_base)
        self._tables = load_tables(settings.knowledge_base)
        policies = load_policies(settings.knowledge_base, self._tables)
        self.policy = _policy(policies, role)
        self._model = load_semantic_model(settings.knowledge_base)
        self._glossary = load_glossary(settings.knowledge_base, self._model)
        examples = load_examples(settings.knowledge_base)
        self._examples = example_patterns(examples, self._model)
        self.approved_questions = tuple(example.question for example in examples.by_id.values())
        self.topics = {example.question: Path(examples.files[name]).stem for name, example in examples.by_id.items()}
        self._retriever = Retriever.of(settings, Knowledge(self._model, self._glossary, examples, self._tables, policies))
        self._shown = ShownInProcess()
        self.caches = Caches.of(settings)
        self._engines = open_engines(settings)
        self._building = threading.Lock()
        self._catalog: Engine | None = None
        self._newest: tuple[tuple[int, datetime], Assistant] | None = None

    def current(self) -> Assistant:
        """The assistant of the newest release; the first who asks after a release was published builds it, the others wait.

        Raises:
            CatalogError: no release. QueryError: its values cannot be read.
        """
        with self._building:
            stamp = release_stamp(self._opened_catalog())
            if self._newest and stamp[0] <= self._newest[0][0] and stamp != self._newest[0]:  # another lake stands in its place
                self._engines.close()
                self._engines = open_engines(self._settings)
            if self._newest is None or self._newest[0] != stamp:
                self._newest = stamp, self._of(read_whole_release(self._opened_catalog(), storage=Storage.of(self._settings)))
            return self._newest[1]

    def of(self, number: int) -> Assistant:
        """The assistant of one release.

        Raises:
            CatalogError, UsageError: no such release. QueryError: its values cannot be read.
        """
        with self._building:
            return self._of(read_whole_release(self._opened_catalog(), number, Storage.of(self._settings)))

    def catalog(self) -> Engine:
        """The database of the ledger.

        Raises:
            CatalogError: there is none, or it does not answer.
        """
        with self._building:
            return self._opened_catalog()

    def manifest(self, number: int) -> Release:
        """What a release is made of, its files not looked at.

        Raises:
            CatalogError, UsageError: no such release, or it is no longer kept.
        """
        return read_release(self.catalog(), number, Storage.of(self._settings))

    def close(self) -> None:
        """End the worker processes; a query that still runs is told."""
        self._engines.close()
        self.caches.close()
        self._retriever.close()
        if self._catalog is not None:
            self._catalog.dispose()

    def _opened_catalog(self) -> Engine:
        if self._catalog is None:
            self._catalog = connect(self._settings.catalog, create=False)
        return self._catalog

    def _of(self, release: Release) -> Assistant:
        view = ReleaseView(release, self.policy, self._model, self._engines.embedded, self._settings.query_timeout_s)
        values = values_of(view, self._settings.home / FOLDER / str(release.number))
        seen = View(digest(release.to_json()), self.policy.hash, self._version)
        lexicon = Lexicon.of(self._model, values)
        services = Services(
            release=release,
            policy=self.policy,
            model=self._model,
            tables=self._tables,
            planner=CachedPlanner(GrammarPlanner(lexicon), self.caches.plans, seen),
            engine=self._engines.first,
            spare=self._engines.spare,
            limits=Limits(self._settings.row_limit, self._settings.query_timeout_s),
            view=seen,
            caches=self.caches,
            spans=values.span,
            glossary=self._glossary,
            examples=self._examples,
            shown=self._shown,
            retriever=self._retriever,
        )
        return Assistant(self._with_model(services, lexicon), values)

    def _with_model(self, services: Services, lexicon: Lexicon) -> Services:
        if self._asked is None:
            return services
        wording = worded_by(self._asked, self._settings.model_light) if self._settings.model_light else None
        asking = Asking(self._asked, self._settings, lambda text: self._retriever.context_of(text, self.policy))
        return replace(services, asks=claude_planner(services, lexicon, asking), wording=wording)


@contextmanager
def opened(settings: Settings, role: str, release: int | None = None, model: Model | None = None) -> Iterator[Assistant]:
    """The assistant of a lake for a role, on the current release or the given one; its processes end with it.

    Raises:
        UsageError: no release, or no such role. DeclarationError: the knowledge base. EngineUnavailable: the engine.
    """
    with closing(Assistants(settings, role, model)) as assistants:
        yield assistants.current() if release is None else assistants.of(release)


def _policy(policies: Mapping[str, Policy], role: str) -> Policy:
    if role not in policies:
        raise UsageError(f"there is no role {role!r}; allowed: {', '.join(policies)}")
    return policies[role]
