"""What is told of a query that ended without a table, whatever the engine: a closed list of words in, our own sentences out.

An engine's own text never is: it can quote a cell, a path or a name.
"""

from __future__ import annotations

from rag_backend.engines.base import FailureReason, QueryError, QueryFailed, QueryTimeout, QueryTooLarge

SQL_BYTES = 32_000  # fits into a pipe that nobody reads; the validator allows far less
RESULT_BYTES = 64 << 20

_FAILURES: dict[FailureReason, str] = {
    "syntax": "the engine cannot read this SQL; check its spelling",
    "unknown_name": "the SQL names a table or function that there is not, or that may not be read",
    "types": "the SQL names a column that there is not or that may not be read, or uses one in a way that does not fit its type",
    "conversion": "a value cannot be converted to the type that the SQL asks for; use TRY_CAST, or leave such rows out",
    "out_of_range": "a value computed by the SQL is too big for its type; cast to a wider one",
    "not_allowed": "only one SELECT over the tables that may be read is allowed",
    "unsupported": "the engine cannot do what the SQL asks for; write it another way",
    "engine": "the engine could not finish this query; write it another way",
}


def failure(word: str) -> QueryError:
    """The error that a word names; an unknown word is no reason to trust it."""
    if word == "interrupted":
        return QueryTimeout(too_slow())
    if word == "memory":
        return QueryTooLarge("the query needs more memory than MEDFLOW_QUERY_MEMORY allows; ask for fewer rows, groups or columns")
    if word == "result_size":
        return QueryTooLarge("the result is too big to be sent; ask for fewer rows or columns")
    reason: FailureReason = next((known for known in _FAILURES if known == word), "engine")
    return QueryFailed(reason, _FAILURES[reason])


def too_long() -> QueryFailed:
    """The error of SQL beyond SQL_BYTES."""
    return QueryFailed("syntax", f"the SQL is longer than {SQL_BYTES} bytes; shorten it")


def too_slow() -> str:
    """What is told of a query that reached its time limit."""
    return "the query took longer than its time limit (MEDFLOW_QUERY_TIMEOUT_S) and was stopped; ask for less, or raise the limit"
