"""Names written out: every column with its table, every `*` as the readable columns. sqlglot resolves them against the readable
schema alone, so that a closed column does not exist."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.errors import OptimizeError, SchemaError
from sqlglot.optimizer.qualify import qualify

from rag_backend.validator.proof import Proof, RefusalError, not_permitted

_COLUMN = re.compile(r"Column '?\"?([\w.\"]{1,80})")


def qualify_columns(tree: exp.Expr, proof: Proof) -> exp.Expr:
    """The tree with names in full, quoted and in lower case; an outermost `*` leaves key columns out, since they may not be shown.

    Raises:
        RefusalError: a column that is not there for the role; the sentence is the same whether it exists or not.
    """
    asked = tree.expressions if isinstance(tree, exp.Select) else []
    written = {column.name.lower() for column in asked if not column.is_star}
    starred = any(column.is_star for column in asked)
    try:
        full = qualify(tree, dialect=proof.dialect, schema=proof.schema)
    except (OptimizeError, SchemaError) as error:
        found = _COLUMN.search(str(error))
        name = found[1].replace('"', "") if found else "a name"
        raise not_permitted(f"{name} is no column that {proof.policy.role} may read in these tables, or stands in two of them") from error
    except RecursionError as error:
        raise RefusalError("over_limit", "the SQL is nested too deep; write its parts as WITH queries") from error
    hidden = proof.policy.key_columns - written
    if starred and isinstance(full, exp.Select):
        shown = [item for item in full.expressions if not (isinstance(item.unalias(), exp.Column) and item.alias_or_name in hidden)]
        full.set("expressions", shown or full.expressions)
    return full
