"""Trino's files without a server: what they grant is the policy, and they hold no secret."""

from __future__ import annotations

import json

import pytest

from medflow.cli import main as medflow
from medflow.errors import UsageError
from medflow.settings import load_settings, packaged_knowledge_base
from medflow.specs.policy import load_policies
from medflow.specs.tables import load_tables
from rag_backend.engines.one_select import check_one_select
from rag_backend.engines.opened import open_engines
from rag_backend.engines.trino import server_of
from rag_backend.engines.trino_files import packaged_rules, write_trino_files
from rag_backend.engines.trino_rules import rules_of
from rag_backend.engines.trino_types import read_as
from tests.engines.shop import CLERK, COLUMNS, Policy

_TABLES = load_tables(packaged_knowledge_base())
_POLICIES = load_policies(packaged_knowledge_base(), _TABLES)
_SERVED = {"CATALOG": "postgresql://medflow:s3cret@pg:5432/lake", "WAREHOUSE": "s3://medflow-lake/warehouse"}


def settings(tmp_path, **given):
    lake = {"catalog": _SERVED["CATALOG"], "warehouse": _SERVED["WAREHOUSE"], "s3_access_key": "s3cret", "s3_secret_key": "s3cret"}
    return load_settings(home=tmp_path, **(lake | given))


@pytest.mark.parametrize("role", ["business", "analyst", "engineer"])
def test_a_role_reads_its_policy_s_tables_and_columns(tmp_path, role):
    """Columns of a table less those that its rule closes are those that the policy grants; other tables have no rule."""
    rules = [rule for rule in packaged_rules(settings(tmp_path))["tables"] if rule.get("user") == f"medflow_{role}"]
    found = {}
    for rule in rules:
        name = f"{rule['schema']}.{rule['table']}"
        closed = {column["name"] for column in rule["columns"] if column["allow"] is False}
        found[name] = tuple(column for column in _TABLES[name].column_names if column not in closed)
        assert rule["privileges"] == ["SELECT"] and "$path" in closed
    assert found == dict(_POLICIES[role].tables)


def test_every_list_ends_in_a_rule_that_allows_nothing(tmp_path):
    """What no rule names is denied, also where Trino would allow it of itself."""
    rules = packaged_rules(settings(tmp_path))
    nothing = [{"allow": "none"}, {"allow": []}, {"allow": False}, {"privileges": []}, {"owner": False}]
    for name, listed in rules.items():
        last = {key: value for key, value in listed[-1].items() if key not in ("original_user", "new_user")}
        assert last in nothing, name
    assert not [rule for rule in rules["tables"] if rule.get("user") == "medflow_admin"]


def test_names_are_no_patterns():
    """The rules take names as patterns, so that a name must be plain."""
    for bad in (Policy({"shop.orders": ("id",)}, ".*"), Policy({"shop.or.*ders": ("id",)}), Policy({"sh|op.orders": ("id",)})):
        with pytest.raises(ValueError, match=r"plain name|unpack"):
            rules_of([bad], {name: ["id"] for name in bad.tables})
    with pytest.raises(ValueError, match="not among its own"):
        rules_of([CLERK], {name: columns[:1] for name, columns in COLUMNS.items()})


def test_the_files_hold_no_secret(tmp_path):
    """They name the environment's variables instead."""
    files = write_trino_files(settings(tmp_path), tmp_path / "etc")
    text = "".join((tmp_path / "etc" / name).read_text(encoding="utf-8") for name in files)
    assert "s3cret" not in text and "${ENV:TRINO_CATALOG_PASSWORD}" in text and "query.max-run-time=35s" in text
    assert json.loads((tmp_path / "etc" / "rules.json").read_text(encoding="utf-8"))["tables"]


def test_the_command_writes_them(tmp_path, monkeypatch, capsys):
    for name, value in _SERVED.items():
        monkeypatch.setenv(f"MEDFLOW_{name}", value)
    monkeypatch.setenv("MEDFLOW_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit) as done:
        medflow(["setup", "--trino", str(tmp_path / "etc"), "--json"])
    assert done.value.code == 0 and "rules.json" in json.loads(capsys.readouterr().out)["files"]
    assert (tmp_path / "etc" / "catalog" / "lake.properties").exists()


def test_a_lake_of_this_machine_is_none_for_trino(tmp_path):
    with pytest.raises(UsageError, match="MEDFLOW_CATALOG"):
        write_trino_files(load_settings(home=tmp_path), tmp_path / "etc")


@pytest.mark.parametrize(
    "setting", ["trino://", "trino://host", "trino://host:x", "trino://u:p@host:1", "http://host:1", "trino://host:1/lake"]
)
def test_wrong_servers_are_told(setting):
    with pytest.raises(UsageError, match="MEDFLOW_QUERY_ENGINE") as told:
        server_of(setting)
    assert "u:p" not in str(told.value)


@pytest.mark.parametrize("setting", ["", "presto://host:1", "sparky", "spark://host", "spark://a b:1", "duckdb://x"])
def test_wrong_engines_are_told(tmp_path, setting):
    with pytest.raises(UsageError, match="MEDFLOW_QUERY_ENGINE"):
        open_engines(load_settings(home=tmp_path, query_engine=setting))


def test_a_server_need_not_be_there_to_be_opened(tmp_path):
    engines = open_engines(load_settings(home=tmp_path, query_engine="trino://some@127.0.0.1:9"))
    assert (engines.first.name, engines.embedded.name, server_of("trino://some@h:9")[1]) == ("trino", "duckdb", "some")
    engines.close()


@pytest.mark.parametrize("sql", ["", " ", "SELECT 1;", "SET SESSION a = 1", "SHOW TABLES", "EXPLAIN SELECT 1", "-- x", "TABLE t"])
def test_one_select_goes_out(sql):
    with pytest.raises(Exception, match="one SELECT"):
        check_one_select(sql, "trino")


def test_types_are_read_as_the_lake_s():
    """Nested ones too; a type that the lake does not have is a text."""
    bigint = {"rawType": "bigint", "arguments": []}
    row = {"rawType": "row", "arguments": [{"kind": "NAMED_TYPE", "value": {"fieldName": {"name": "at"}, "typeSignature": bigint}}]}
    assert read_as({"rawType": "array", "arguments": [{"kind": "TYPE", "value": row}]})[0] == "array<struct<at:bigint>>"
    assert read_as({"rawType": "interval day to second", "arguments": []})[0] == "string"
    instant = read_as({"rawType": "timestamp with time zone", "arguments": [{"kind": "LONG", "value": 6}]})[1]
    assert instant("2026-07-01 06:00:00.5 +02:00").isoformat() == "2026-07-01T04:00:00.500000+00:00"
    assert instant("2026-07-01 06:00:00.123456789 Europe/Berlin").isoformat() == "2026-07-01T04:00:00.123456+00:00"
