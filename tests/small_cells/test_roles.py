"""What a role is told is what a copy of the data tells that holds only what the role may read: cut out by this file, not by the policy.

Compared before small cells are masked; a question that the copy cannot answer is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import duckdb
import pytest

from medflow.sql.compile import compile_sql
from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Services, Turn
from rag_backend.assistant import opened
from rag_backend.query.compile import compile_query
from rag_backend.query.problems import problems_of
from rag_backend.query.sources import admissible
from rag_backend.query.typed_query import TypedQuery
from tests.support.counts import counted
from tests.support.lake import Lake

_GOLD = ("claims_approval_funnel", "claims_monthly_summary", "condition_costs", "denial_reasons", "provider_performance")
_LINES = """
    SELECT payer_id, claim_id, line_number, claim_version, member_key, age_band, sex, plan_code, billing_npi, rendering_npi, place_of_service,
        principal_diagnosis, diagnosis_codes, procedure_code, modifiers, units, service_from, service_to, claim_service_date, received_date,
        adjudicated_date, paid_date, billed_amount, allowed_amount, paid_amount, deductible_amount, coinsurance_amount, copay_amount,
        other_payer_amount, claim_status, denial_group, denial_code
    FROM everything.healthcare.claims_clean
"""
_COPIES = {
    "business": {},
    "analyst": {"claims_clean": _LINES},
    "engineer": {"claims_clean": _LINES.replace("member_key,", "member_key, member_id, birth_year,")},
    "admin": None,
}
_DIMS = {
    "payer": ["aetna", "bluecross", "unitedhealth"],
    "condition": ["diabetes", "asthma", "pregnancy"],
    "denial_code": ["97", "16", "204"],
    "denial_group": ["CO", "PR"],
    "claim_status": ["paid", "denied", "pending"],
    "sex": ["F", "M"],
    "age_band": ["0-17", "18-34", "65-74"],
    "place_of_service": ["11", "21", "23"],
    "specialty": ["Cardiology", "Pediatrics", "Oncology"],
    "provider_state": ["TX", "CA", "NY"],
    "provider": [],
    "plan_code": [],
}
_DATES = ("claim_service_date", "received_date", "adjudicated_date")


@pytest.fixture(scope="module")
def copies(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Role -> a database with what it may read; none for the role that may read nothing."""
    folder = tmp_path_factory.mktemp("copies")
    with ExitStack() as stack:
        made = {}
        for role, others in _COPIES.items():
            made[role] = stack.enter_context(duckdb.connect())
            if others is not None:
                _fill(made[role], lake, str(folder / f"{role}.duckdb"), others)
        yield made


def _fill(copy: Any, lake: Lake, file: str, others: dict[str, str]) -> None:
    copy.execute("SET TimeZone = 'UTC'")
    copy.execute(f"ATTACH '{file}' AS everything")
    for name, table in lake.release().tables.items():
        copy.execute(f"CREATE SCHEMA IF NOT EXISTS everything.{name.split('.')[0]}")
        if table.files:
            copy.execute(f"CREATE VIEW everything.{name} AS SELECT * FROM read_parquet({table.files!r}, union_by_name = true)")
    copy.execute("CREATE SCHEMA healthcare; CREATE SCHEMA healthcare_gold")
    copy.execute("CREATE TABLE healthcare.providers AS SELECT npi, name, specialty, state FROM everything.healthcare.providers")
    for name in _GOLD:
        copy.execute(f"CREATE TABLE healthcare_gold.{name} AS SELECT * FROM everything.healthcare_gold.{name}")
    for name, sql in others.items():
        copy.execute(f"CREATE TABLE healthcare.{name} AS {sql}")
    copy.execute("DETACH everything")


@pytest.fixture(scope="module")
def by_role(lake: Lake) -> Iterator[dict[str, Services]]:
    """Each role's assistant; of the one that small cells are masked for, without the masks."""
    with ExitStack() as stack:
        found = {}
        for role in _COPIES:
            services = stack.enter_context(opened(lake.settings, role)).services
            found[role] = replace(services, policy=replace(services.policy, suppress_below=None))
        yield found


def _random_query(random: Random, services: Services) -> dict[str, Any]:
    metrics = random.sample(sorted(services.model.metrics), random.choice([1, 1, 2]))
    dims = random.sample(list(_DIMS), random.choice([0, 1, 1, 2]))
    groups: list[dict[str, str]] = [{"dim": dim} for dim in dims]
    if random.random() < 0.4:
        groups.append({"dim": random.choice(_DATES), "grain": random.choice(["month", "quarter", "year", "weekday", "week"])})
    filters = random.sample([dim for dim, values in _DIMS.items() if values], random.choice([0, 0, 1, 2]))
    where = [
        [{"dim": dim, "op": random.choice(["in", "in", "not_in"]), "values": random.sample(_DIMS[dim], random.choice([1, 2]))}]
        for dim in filters
    ]
    asked: dict[str, Any] = {"metrics": [{"id": name} for name in metrics], "group_by": groups, "where": where}
    if random.random() < 0.6:
        first, last = sorted(random.sample(["2024-10-01", "2025-01-01", "2025-07-01", "2026-01-01", "2026-02-11", "2026-07-01"], 2))
        asked["time"] = {"date": random.choice(_DATES), "from": first, "to": last}
    if random.random() < 0.2:
        asked["having"] = [{"metric": "claim_count", "op": random.choice(["gt", "le"]), "value": random.choice([5, 50, 300])}]
    if groups and random.random() < 0.3:
        asked["order_by"] = [{"by": metrics[0], "desc": random.random() < 0.5}]
        asked["limit"] = {"n": random.choice([1, 3, 10])}
    return asked


def _told_by(copy: Any, query: TypedQuery, services: Services) -> list[tuple[Any, ...]] | None:
    """The rows that the copy gives, by the first of the tables that could answer; none if it has none of them."""
    for base in admissible(query, services.model, services.tables):
        try:
            found: list[tuple[Any, ...]] = copy.execute(compile_sql(compile_query(query, base, services.tables).sql, "duckdb")).fetchall()
        except duckdb.CatalogException:
            continue
        return found
    return None


def _same(one: Any, other: Any) -> bool:
    return math.isclose(one, other, rel_tol=1e-9) if isinstance(one, float) and isinstance(other, float) else bool(one == other)


@pytest.mark.parametrize("seed", range(counted(4, 40)))
def test_a_role_is_told_what_its_copy_tells(seed: int, copies: dict[str, Any], by_role: dict[str, Services]) -> None:
    """Fifty random pairs of a role and a typed query: equal rows, or refused where the copy has no table for it."""
    random = Random(seed)
    answered = 0
    for _ in range(50):
        role = random.choice(list(_COPIES))
        services = by_role[role]
        asked = _random_query(random, services)
        query = TypedQuery.model_validate(asked)
        while problems_of(query, services.model):
            asked = _random_query(random, services)
            query = TypedQuery.model_validate(asked)
        turn = walk(Turn("", date(2026, 7, 1), parts=(query,)), services)
        expected = _told_by(copies[role], query, services)
        if expected is None:
            assert turn.refusal is not None, (role, asked)
            assert (turn.refusal.reason_code, turn.table) == ("not_permitted", None), (role, asked, turn.refusal)
            continue
        if turn.refusal is not None and turn.refusal.reason_code == "over_limit":  # the copy has no limit on the length of SQL
            continue
        assert turn.table is not None, (role, asked, turn.refusal)
        assert len(turn.table.rows) == len(expected), (role, asked)
        assert all(_same(*pair) for row, other in zip(turn.table.rows, expected, strict=True) for pair in zip(row, other, strict=True)), (
            role,
            asked,
        )
        answered += 1
    assert answered > 10
