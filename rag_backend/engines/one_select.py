"""What no server is sent: SQL that is not one SELECT by its words. A wall of its own, whether or not the SQL was proved before."""

from __future__ import annotations

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from rag_backend.engines.failures import SQL_BYTES, failure, too_long

_BEGINNINGS = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN})


def check_one_select(sql: str, dialect: str) -> None:
    """Refuse what is not one SELECT of the dialect before an engine sees it.

    Raises:
        QueryFailed: `not_allowed`, or `syntax` where it is too long.
    """
    if len(sql.encode()) > SQL_BYTES:
        raise too_long()
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except SqlglotError:
        raise failure("syntax") from None
    if not tokens or tokens[0].token_type not in _BEGINNINGS or any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise failure("not_allowed")
