"""Who may read what, as declared in `policy.yaml`: the file and the declared tables in, one frozen `Policy` a role out.

What is not granted is closed: a table, a column, a lane, a column that a table gets later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from medflow.errors import DeclarationError
from medflow.specs.source import Problems, Source, Spot, read_source
from medflow.specs.table import Declared, TableSpec

POLICY_FILE = "policy.yaml"
Role = Literal["business", "analyst", "engineer", "admin"]
Lane = Literal["semantic", "sql", "ad_hoc"]
ROLES: tuple[str, ...] = get_args(Role)
SERVICE = "service"  # reads for the service itself; nobody can be it


@dataclass(frozen=True)
class Policy:
    """What one role may read.

    `tables`: full name -> readable columns, in table order. `key_columns` may stand only in GROUP BY, in joins with each other
    and in COUNT DISTINCT. `lanes`: ways to ask that are open. `suppress_below`: smaller counts are masked; None masks nothing.
    `counting`: what the service itself reads to count what stands behind a number of this role; it is never shown.
    """

    role: str
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    key_columns: frozenset[str] = frozenset()
    lanes: frozenset[str] = frozenset()
    suppress_below: int | None = None
    counting: Policy | None = None

    @property
    def hash(self) -> str:
        """SHA-256 over the policy as canonical JSON: equal policies, equal hashes, whatever the order in the file."""
        content = {
            "role": self.role,
            "tables": {name: list(columns) for name, columns in self.tables.items()},
            "key_columns": sorted(self.key_columns),
            "lanes": sorted(self.lanes),
            "suppress_below": self.suppress_below,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Except(Declared):
    """All columns of a table but these and its private ones."""

    without: tuple[str, ...] = Field(alias="except", min_length=1)


class RoleGrants(Declared):
    """One role as written; a table's grant is `"*"`, a list of columns, or `{except: [...]}`."""

    lanes: tuple[Lane, ...]
    tables: dict[str, Any]
    extends: str = ""
    suppress_below: int | None = Field(default=None, ge=2)


class PolicyFile(Declared):
    """The file as written."""

    key_columns: tuple[str, ...] = ()
    counting: dict[str, Any] = Field(default_factory=dict)
    roles: dict[str, RoleGrants]

    @field_validator("roles")
    @classmethod
    def _every_role(cls, roles: dict[str, RoleGrants]) -> dict[str, RoleGrants]:
        if set(roles) != set(ROLES):
            raise ValueError(f"exactly these roles are declared: {', '.join(ROLES)}; a role that may read nothing has tables: {{}}")
        return roles


def load_policies(root: Path, tables: Mapping[str, TableSpec]) -> Mapping[str, Policy]:
    """The policy of each role, checked against the declared `tables` (full name -> spec).

    Raises:
        DeclarationError: all problems, each as `file:line: what`; also when the file is missing.
    """
    problems = Problems(root)
    path = root / POLICY_FILE
    if not path.is_file():
        problems.add(path, 1, "is missing; it declares what each role may read")
    source = read_source(path, problems) if path.is_file() else None
    found = policies_of(source, tables) if source is not None else {}
    if problems.found:
        raise DeclarationError(problems.found)
    return found


def policies_of(source: Source, tables: Mapping[str, TableSpec]) -> Mapping[str, Policy]:
    """The policies of one read file; its problems are reported to the source, and then nothing is granted."""
    file = source.build(PolicyFile, source.data)
    if file is None:
        return MappingProxyType({})
    before = len(source.problems.found)
    granted: dict[str, dict[str, frozenset[str]]] = {}
    for role in sorted(file.roles, key=lambda name: bool(file.roles[name].extends)):
        granted[role] = _inherited(source, file, role, granted) | {}
        for table, columns in _granted(source, ("roles", role, "tables"), file.roles[role].tables, tables).items():
            granted[role][table] = granted[role].get(table, frozenset()) | columns
    _check_key_columns(source, file, granted)
    counted = _granted(source, ("counting",), file.counting, tables)
    if not file.counting and any(grants.suppress_below for grants in file.roles.values()):
        source.problem(("roles",), "a role with suppress_below needs `counting`: what is read to count what stands behind its numbers")
    if len(source.problems.found) > before:
        return MappingProxyType({})
    counting = Policy(SERVICE, _readable(counted, tables), frozenset(file.key_columns), frozenset({"semantic"}))
    return MappingProxyType({role: _policy(role, file, _readable(granted[role], tables), counting) for role in ROLES})


def _readable(granted: Mapping[str, frozenset[str]], tables: Mapping[str, TableSpec]) -> Mapping[str, tuple[str, ...]]:
    """Granted columns in table order."""
    return MappingProxyType({name: tuple(c for c in tables[name].column_names if c in granted[name]) for name in sorted(granted)})


def _policy(role: str, file: PolicyFile, readable: Mapping[str, tuple[str, ...]], counting: Policy) -> Policy:
    written = file.roles[role]
    below = written.suppress_below
    return Policy(role, readable, frozenset(file.key_columns), frozenset(written.lanes), below, counting if below else None)


def _inherited(source: Source, file: PolicyFile, role: str, granted: Mapping[str, dict[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    base = file.roles[role].extends
    if not base:
        return {}
    if base not in file.roles or file.roles[base].extends:
        plain = ", ".join(name for name, grants in file.roles.items() if not grants.extends)
        source.problem(("roles", role, "extends"), f"{role} extends {base}; a role extends one that extends none: {plain}")
        return {}
    return dict(granted[base])


def _granted(source: Source, place: Spot, grants: Mapping[str, Any], tables: Mapping[str, TableSpec]) -> dict[str, frozenset[str]]:
    found = {}
    for table, written in grants.items():
        spot: Spot = (*place, table)
        if table not in tables:
            source.problem(spot, f"{table} is not a declared table; there are: {', '.join(sorted(tables))}")
            continue
        found[table] = _columns(source, spot, written, tables[table])
    return found


def _columns(source: Source, spot: Spot, written: Any, table: TableSpec) -> frozenset[str]:
    public = frozenset(column.name for column in table.columns if not column.private)
    if written == "*":
        return public
    if isinstance(written, dict):
        rest = source.build(Except, written, spot)
        return public - _named(source, (*spot, "except"), rest.without, table) if rest else frozenset()
    if isinstance(written, list) and written and all(isinstance(column, str) for column in written):
        return _named(source, spot, tuple(written), table)
    source.problem(spot, f'{table.name}: a grant is "*", a list of columns, or {{except: [columns]}}')
    return frozenset()


def _named(source: Source, spot: Spot, columns: tuple[str, ...], table: TableSpec) -> frozenset[str]:
    for index, column in enumerate(columns):
        if column not in table.column_names:
            source.problem((*spot, index), f"{column} is not a column of {table.name}")
        if column in columns[:index]:
            source.problem((*spot, index), f"{column} stands twice")
    return frozenset(columns)


def _check_key_columns(source: Source, file: PolicyFile, granted: Mapping[str, Mapping[str, frozenset[str]]]) -> None:
    readable = frozenset().union(*(columns for tables in granted.values() for columns in tables.values()))
    for index, column in enumerate(file.key_columns):
        if column not in readable:
            source.problem(("key_columns", index), f"key column {column} is granted to no role; write its name as in the tables")
