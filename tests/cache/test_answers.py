"""A kept answer is the answer: nothing but its times and `cached` tell it from the first. And nobody is answered with another's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from medflow.settings import Settings, packaged_knowledge_base
from medflow.specs.examples import load_examples
from rag_backend.agents import validator
from rag_backend.assistant import Assistant, Assistants
from rag_backend.cache.caches import Caches
from rag_backend.cache.keys import View
from rag_backend.cache.planner import CachedPlanner
from rag_backend.engines.base import Cancellation, Query, QueryCancelled, QueryFailed, QueryTimeout, Table
from rag_backend.engines.duckdb import DuckDBEngine
from rag_backend.planners.base import Clarify, Outcome, Planned, Refused
from rag_backend.query.typed_query import Condition, MetricUse, TypedQuery
from tests.services.redis import Redis as RedisServer
from tests.support.lake import Lake, copied_knowledge_base

_TODAY = date(2026, 7, 1)
_EXAMPLES = [example.question for example in load_examples(packaged_knowledge_base()).by_id.values()]
_ASKED = _EXAMPLES[::3]
_OF_BUSINESS = _EXAMPLES[1::8]
_OTHERS = ["cost by payer", "claims for Cigna", "forecast claims", "hello", "what is the denial rate?", "claims by shoe size"]
Ran = list[str]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The SQL that engines run from now on."""
    run, found = DuckDBEngine.run, Ran()

    def recorded(self: DuckDBEngine, query: Query, cancel: Cancellation) -> Table:
        found.append(query.sql)
        return run(self, query, cancel)

    monkeypatch.setattr(DuckDBEngine, "run", recorded)
    return found


@contextmanager
def _asking(settings: Settings, role: str = "analyst", **changed: Any) -> Iterator[Assistants]:
    with closing(Assistants(settings.model_copy(update=changed), role)) as assistants:
        assistants.current()
        yield assistants


@pytest.fixture(scope="module")
def analyst(small: Lake) -> Iterator[Assistant]:
    with _asking(small.settings) as assistants:
        yield assistants.current()


@pytest.fixture(scope="module")
def business(small: Lake) -> Iterator[Assistant]:
    with _asking(small.settings, "business") as assistants:
        yield assistants.current()


@pytest.fixture
def shared(server: RedisServer) -> dict[str, str]:
    """Settings of processes that share one server and its secret."""
    return {"cache": server.url, "cache_key": "a secret that they share"}


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer but for what may differ."""
    return {name: value for name, value in answer.items() if name not in ("cached", "timings")}


@pytest.mark.parametrize("question", [*_ASKED, *_OTHERS])
def test_a_second_answer_is_the_first(analyst: Assistant, question: str, ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    """Approved questions, and such as are refused, asked back, defined or greeted; the second time nothing is proved and nothing runs."""
    first = analyst.ask(question, _TODAY)
    ran.clear()
    if first["status"] != "refused":  # what could be asked instead is proved again
        monkeypatch.setattr(validator, "validate", lambda *_: pytest.fail("nothing is to be proved"))
    second = analyst.ask(question, _TODAY)
    assert _told(second) == _told(first)
    assert (second["cached"], ran) == (bool(first["sql"]), [])
    assert not {"generator", "validator"} & set(second["timings"] if second["cached"] else ())
    assert second["timings"].keys() >= {"router", "explainer"}


@pytest.mark.parametrize("question", _OF_BUSINESS)
def test_a_second_answer_is_masked_as_the_first(business: Assistant, question: str, ran: Ran) -> None:
    """Of a role that sees no small cells: to the same user and to another one the same cells, and no count is made again."""
    first = business.ask(question, _TODAY, user=f"first of {question}")
    ran.clear()
    another = business.ask(question, _TODAY, user=f"other of {question}")
    assert (_told(another), another["cached"], ran) == (_told(first), bool(first["sql"]), [])
    again = business.ask(question, _TODAY, user=f"first of {question}")
    assert (_told(again), again["cached"]) == (_told(first), bool(first["sql"]))


def _asthma(first: str, until: str) -> TypedQuery:
    asthma = [[{"dim": "condition", "op": "in", "values": ["asthma"]}]]
    window = {"date": "claim_service_date", "from": first, "to": until}
    return TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], "where": asthma, "time": window})


def test_two_kept_answers_do_not_tell_what_is_between_them(business: Assistant, ran: Ran) -> None:
    """Three claims in May: who saw the months before is not shown the months with it, kept or not; who did not is."""
    shorter, longer = _asthma("2025-01-01", "2025-05-01"), _asthma("2025-01-01", "2025-06-01")
    shown = [business.query(query, _TODAY, user=user) for user, query in (("a", shorter), ("b", longer))]
    assert [(one["rows"], one["cached"]) for one in shown] == [([[14]], False), ([[17]], False)]
    masked = business.query(longer, _TODAY, user="a")
    assert (masked["rows"], masked["suppressed_cells"], masked["cached"]) == ([[None]], [[0, "claim_count", "difference"]], True)
    ran.clear()
    for user, first, second in (("c", shorter, longer), ("d", longer, shorter)):
        seen, then = business.query(first, _TODAY, user=user), business.query(second, _TODAY, user=user)
        assert (seen["rows"], seen["cached"], then["cached"]) == ([[14 if first is shorter else 17]], True, True)
        assert (then["rows"], then["suppressed_cells"]) == ([[None]], [[0, "claim_count", "difference"]])
    assert len(ran) <= 1  # what is counted for the other order; the answers themselves are kept


def test_the_measured_table_is_kept_and_not_the_masked_one(small: Lake, shared: dict[str, str]) -> None:
    """Masks are made anew from the same numbers: a log that is empty again shows what it would have shown."""
    with _asking(small.settings, "business", **shared) as first:
        assistant = first.current()
        assistant.query(_asthma("2025-01-01", "2025-05-01"), _TODAY)
        assert assistant.query(_asthma("2025-01-01", "2025-06-01"), _TODAY)["rows"] == [[None]]
    with _asking(small.settings, "business", **shared) as second:
        found = second.current().query(_asthma("2025-01-01", "2025-06-01"), _TODAY)
    assert (found["rows"], found["cached"]) == ([[17]], True)


def test_another_role_has_its_own(small: Lake, shared: dict[str, str], ran: Ran) -> None:
    """On one server: what one role was answered is no other role's, neither plan nor table; another process of the same role has both."""
    question = "claims by payer"
    for role in ("analyst", "engineer", "business"):
        with _asking(small.settings, role, **shared) as assistants:
            ran.clear()
            answer = assistants.current().ask(question, _TODAY)
            assert (answer["status"], answer["cached"], bool(ran)) == ("answered", False, True)
            assert assistants.caches.snapshot()["plans"]["hits"] == 0
    with _asking(small.settings, "analyst", **shared) as assistants:
        ran.clear()
        assert (assistants.current().ask(question, _TODAY)["cached"], ran) == (True, [])
        assert assistants.caches.snapshot()["plans"]["misses"] == 0


def test_another_release_has_its_own(tmp_path: Path, shared: dict[str, str]) -> None:
    """A new release is answered from at once; the one before is still kept beside it."""
    lake = Lake(tmp_path / "lake")
    lake.generate(300)
    shutil.move(lake.landing / "aetna", tmp_path / "aetna")
    lake.run()
    with _asking(lake.settings, **shared) as assistants:
        first = assistants.current().ask("claims by payer", _TODAY)
        assert assistants.current().ask("claims by payer", _TODAY)["cached"]
        shutil.move(tmp_path / "aetna", lake.landing / "aetna")
        lake.run(_TODAY + timedelta(days=1))
        second = assistants.current().ask("claims by payer", _TODAY)
        assert (second["cached"], len(first["rows"]), len(second["rows"]), second["release"]["number"]) == (False, 2, 3, 2)
        old = assistants.of(1).ask("claims by payer", _TODAY)
        assert (old["cached"], old["rows"]) == (True, first["rows"])


def test_another_lake_with_a_release_of_the_same_number_has_its_own(tmp_path: Path, shared: dict[str, str]) -> None:
    """Two lakes on one server, each at release 1."""
    found = []
    for name, claims in (("one", 60), ("other", 90)):
        lake = Lake(tmp_path / name)
        lake.generate(claims)
        lake.run()
        with _asking(lake.settings, **shared) as assistants:
            found.append(assistants.current().ask("How many claims are there?", _TODAY))
    assert [(one["release"]["number"], one["cached"], one["rows"]) for one in found] == [(1, False, [[60]]), (1, False, [[90]])]


def test_another_knowledge_base_has_its_own(small: Lake, tmp_path: Path, shared: dict[str, str]) -> None:
    """A copy elsewhere shares what is kept; with one comment more in it, it shares nothing."""
    same, changed = copied_knowledge_base(tmp_path / "same"), copied_knowledge_base(tmp_path / "changed")
    with (changed / "semantic/metrics.yaml").open("a", encoding="utf-8") as file:
        file.write("# another word\n")
    found = []
    for folder in (packaged_knowledge_base(), same, changed):
        with _asking(small.settings, knowledge_base=folder, **shared) as assistants:
            found.append((assistants.current().ask("claims by payer", _TODAY)["cached"], assistants.caches.snapshot()["plans"]["hits"] > 0))
    assert found == [(False, False), (True, True), (False, False)]


def test_another_limit_has_its_own(small: Lake, shared: dict[str, str]) -> None:
    found = []
    for limit in (10_000, 2, 2):
        with _asking(small.settings, row_limit=limit, **shared) as assistants:
            answer = assistants.current().ask("claims by payer", _TODAY)
            found.append((answer["cached"], answer["row_count"], answer["truncated"]))
    assert found == [(False, 3, False), (False, 2, True), (True, 2, True)]


def test_another_day_has_its_own_plan(small: Lake) -> None:
    """Dates that count from today are planned and asked anew; a table that has nothing to do with today is the same one."""
    with _asking(small.settings) as assistants:
        assistant = assistants.current()
        june = assistant.ask("claims last month", _TODAY)
        may = assistant.ask("claims last month", date(2026, 6, 1))
        assert (june["window"], may["window"]) == ({"from": "2026-06-01", "to": "2026-07-01"}, {"from": "2026-05-01", "to": "2026-06-01"})
        assert (june["cached"], may["cached"]) == (False, False)
        assert (may["rows"], june["rows"]) != (june["rows"], may["rows"])
        assistant.ask("claims by payer", _TODAY)
        planned = assistants.caches.snapshot()["plans"]
        assert assistant.ask("claims by payer", date(2026, 6, 1))["cached"]
        assert assistants.caches.snapshot()["plans"]["misses"] > planned["misses"]


def test_questions_of_one_query_share_its_table_and_not_their_words(analyst: Assistant) -> None:
    """Another wording hits the table; interpretation, question and notices are its own."""
    first = analyst.ask("number of claims for each payer", _TODAY)
    second = analyst.ask("How many claims does each payer have?", _TODAY)
    assert (second["cached"], second["rows"], second["sql"]) == (True, first["rows"], first["sql"])
    assert second["question"] == "How many claims does each payer have?"


def test_a_typed_query_and_its_question_share_a_table(analyst: Assistant) -> None:
    """Values in another order, and twice, are the same query."""
    asked = {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}]}
    first, second = (
        TypedQuery.model_validate({**asked, "where": [[{"dim": "payer", "op": "in", "values": values}]]})
        for values in (["aetna", "bluecross"], ["bluecross", "aetna", "bluecross"])
    )
    assert not analyst.query(first, _TODAY)["cached"]
    assert analyst.query(second, _TODAY)["cached"]


def test_sql_that_a_user_typed_is_never_kept(analyst: Assistant, ran: Ran) -> None:
    """It runs each time, also where it is word for word what a kept answer told."""
    told = analyst.ask("claims by payer", _TODAY)["sql"]
    for sql in (told, told, "SELECT 1 AS one", "SELECT 1 AS one"):
        ran.clear()
        answer = analyst.sql(sql, _TODAY)
        assert (answer["status"], answer["cached"], len(ran)) == ("answered", False, 1)


def test_a_failure_is_not_kept(small: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too slow, then failed: the third time the question is answered, and the fourth from the cache."""
    run, ends = DuckDBEngine.run, [QueryTimeout("too slow"), QueryFailed("engine", "no")]

    def failing(self: DuckDBEngine, query: Query, cancel: Cancellation) -> Table:
        if ends:
            raise ends.pop(0)
        return run(self, query, cancel)

    with _asking(small.settings) as assistants:
        assistant = assistants.current()
        monkeypatch.setattr(DuckDBEngine, "run", failing)
        assert assistant.ask("claims by payer", _TODAY)["reason_code"] == "over_limit"
        with pytest.raises(QueryFailed):
            assistant.ask("claims by payer", _TODAY)
        assert [assistant.ask("claims by payer", _TODAY)["cached"] for _ in range(2)] == [False, True]


def test_a_question_that_is_given_up_is_not_kept(small: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while it runs: told so, and the next asker has an answer."""
    run, cancel = DuckDBEngine.run, Cancellation()

    def given_up(self: DuckDBEngine, query: Query, mine: Cancellation) -> Table:
        if mine is cancel:
            cancel.cancel()
        return run(self, query, mine)

    with _asking(small.settings) as assistants:
        monkeypatch.setattr(DuckDBEngine, "run", given_up)
        with pytest.raises(QueryCancelled):
            assistants.current().ask("claims by payer", _TODAY, cancel)
        assert not assistants.current().ask("claims by payer", _TODAY)["cached"]


def test_eight_at_once_are_measured_once(small: Lake, ran: Ran) -> None:
    """One table for all of them; each has the whole answer."""
    with _asking(small.settings) as assistants, ThreadPoolExecutor(8) as pool:
        assistant = assistants.current()
        ran.clear()
        answers = list(pool.map(lambda _: assistant.ask("denied claims by payer in 2026", _TODAY), range(8)))
    assert len(ran) == 1
    assert [answer["cached"] for answer in answers].count(False) == 1
    assert len({repr(_told(answer)) for answer in answers}) == 1


def test_nothing_is_kept_where_that_is_asked_for(small: Lake, ran: Ran) -> None:
    """`none://`: every answer is computed."""
    with _asking(small.settings, cache="none://") as assistants:
        ran.clear()
        answers = [assistants.current().ask("claims by payer", _TODAY) for _ in range(2)]
        assert ([answer["cached"] for answer in answers], len(ran)) == ([False, False], 2)
        assert _told(answers[0]) == _told(answers[1])


def test_follow_ups_are_planned_once(small: Lake) -> None:
    """The texts that are proved to be answerable are kept like any question."""
    with _asking(small.settings) as assistants:
        answer = assistants.current().ask("claims by payer", _TODAY)
        planned = assistants.caches.snapshot()["plans"]["misses"]
        assert planned > len(answer["follow_ups"]) > 0
        assistants.current().ask("claims by payer", _TODAY)
        assert assistants.caches.snapshot()["plans"]["misses"] == planned


_OPTION = TypedQuery(metrics=(MetricUse(id="claim_count"),), where=((Condition(dim="payer", op="in", values=("aetna",)),),))


class Scripted:
    """A planner that says what it is told to, and counts."""

    name = "scripted"

    def __init__(self, *says: Outcome | Exception) -> None:
        self.says = list(says)
        self.asked: list[str] = []

    def plan(self, question: str, today: date) -> Outcome:
        self.asked.append(question)
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def _planner(tmp_path: Path, scripted: Scripted, model: str = "", caches: Caches | None = None) -> CachedPlanner:
    caches = caches or Caches.of(Settings(home=tmp_path))
    return CachedPlanner(scripted, caches.plans, View("release", "policy", "version"), model)


def test_a_planner_that_fails_is_asked_again(tmp_path: Path) -> None:
    """What it raises, and that nothing could be asked, is not kept; a refusal is."""
    refused = Refused("not_in_data", "no")
    scripted = Scripted(TimeoutError("slow"), Refused("engine_unavailable", "down"), refused)
    planner = _planner(tmp_path, scripted)
    with pytest.raises(TimeoutError):
        planner.plan("claims", _TODAY)
    assert [planner.plan("claims", _TODAY) for _ in range(3)] == [Refused("engine_unavailable", "down"), refused, refused]
    assert len(scripted.asked) == 3


def test_each_planner_and_model_has_its_own(tmp_path: Path) -> None:
    """What one model made of a text is not what another one would."""
    caches, clarify = Caches.of(Settings(home=tmp_path)), Clarify("which?", ())
    found = [
        _planner(tmp_path, Scripted(says), model, caches).plan("claims", _TODAY)
        for model, says in (("a", Planned(_OPTION)), ("b", clarify))
    ]
    assert found == [Planned(_OPTION), clarify]
    assert _planner(tmp_path, Scripted(), "a", caches).plan("  claims ", _TODAY) == Planned(_OPTION)


def test_a_planner_is_asked_what_is_kept(tmp_path: Path) -> None:
    """The text with single blanks, and never another one of the same key."""
    scripted = Scripted(Planned(_OPTION))
    planner = _planner(tmp_path, scripted)
    assert [planner.plan(text, _TODAY) for text in ("Claims  in OR\n", "claims in OR", " Claims in OR")] == [Planned(_OPTION)] * 3
    assert scripted.asked == ["claims in OR"]
