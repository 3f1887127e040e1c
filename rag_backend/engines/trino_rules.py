"""Trino's access rules, made from the policies: one user a role, who may read its tables and columns, and nothing else is allowed.

The first rule that fits decides, and each list ends in a rule that fits all and allows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rag_backend.engines.base import ReadPolicy

LAKE = "lake"
USERS = "medflow"  # the beginning of every role's user, unless MEDFLOW_QUERY_ENGINE names another
# Columns that Iceberg's tables have of themselves: places of files and raw values of partitions.
_OF_FILES = ("$path", "$partition", "$file_modified_time", "$row_id", "$last_updated_sequence_number")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def user_of(policy: ReadPolicy, users: str = USERS) -> str:
    """Whom a role asks as.

    Raises:
        ValueError: the role is no plain name.
    """
    return f"{users}_{_plain(policy.role)}"


def rules_of(policies: Iterable[ReadPolicy], columns: Mapping[str, Sequence[str]], users: str = USERS) -> dict[str, Any]:
    """The rules file of Trino's file-based access control. `columns`: every column of each table, so that those not granted are closed.

    Raises:
        ValueError: a role, schema or table has no plain name, or a granted table has no columns.
    """
    served = [policy for policy in policies if policy.tables]
    names = sorted({user_of(policy, users) for policy in served})
    tables = [_table(user_of(policy, users), name, granted, columns[name]) for policy in served for name, granted in policy.tables.items()]
    return {
        "catalogs": [{"user": user, "catalog": LAKE, "allow": "read-only"} for user in names] + [{"allow": "none"}],
        "queries": [{"user": user, "allow": ["execute"]} for user in names] + [{"allow": []}],
        "schemas": [{"owner": False}],
        "tables": [*tables, {"privileges": []}],
        "functions": [{"privileges": []}],
        "procedures": [{"privileges": []}],
        "system_session_properties": [{"allow": False}],
        "catalog_session_properties": [{"allow": False}],
        "system_information": [{"allow": []}],
        "impersonation": [{"original_user": ".*", "new_user": ".*", "allow": False}],
        "authorization": [{"new_user": ".*", "allow": False}],
    }


def _table(user: str, name: str, granted: Sequence[str], every: Sequence[str]) -> dict[str, Any]:
    """A role's grant on a table. A rule names what is closed, not what is open: that it names all of it is seen before a query."""
    schema, table = name.split(".")
    if not granted or not set(granted) <= set(every):
        raise ValueError(f"{name} is granted with columns that are not among its own")
    closed = [*(column for column in every if column not in granted), *_OF_FILES]
    return {
        "user": user,
        "catalog": LAKE,
        "schema": _plain(schema),
        "table": _plain(table),
        "privileges": ["SELECT"],
        "columns": [{"name": column, "allow": False} for column in closed],
    }


def _plain(name: str) -> str:
    if not _NAME.fullmatch(name):  # the rules take names as patterns
        raise ValueError(f"{name} is no plain name: small letters, digits and _ are")
    return name
