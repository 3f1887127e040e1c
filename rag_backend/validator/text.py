"""Rules on the text alone, before any parsing: a string in, its tokens out.

They keep out what engines and sqlglot may read differently, and what would exhaust the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, pairwise

from sqlglot import tokenize
from sqlglot.tokens import Token, TokenType

from rag_backend.validator.proof import Dialect, RefusalError, over_limit, unsafe

BYTES = 8 * 1024
RENDERED_BYTES = 128 * 1024
NESTING = 40
_PREFIXES = 12
_JOINS = 20
_SELECTS = 40
# Operators and punctuation of plain queries. Not among them, each an attack: `;` a second statement; `@` `?` `$` `:` parameters,
# which sqlglot writes as `${v}` for Spark; `#1` column positions of DuckDB; `{` structs and templates; `->` lambdas and JSON paths;
# `~` regular expressions, which can run for hours; `/*+` hints; `|>` pipe syntax; `=>` named arguments of table functions.
_PUNCTUATION = frozenset(
    ["(", ")", "[", "]", ",", ".", "*", "+", "-", "/", "%", "=", "==", "<>", "!=", "<", ">", "<=", ">=", "||", "::", "//", "<=>"]
)
_OTHER_STRINGS = frozenset(
    {
        TokenType.RAW_STRING,  # r'…' and the like: escapes differ between engines
        TokenType.HEREDOC_STRING,  # $$…$$ hides quotes
        TokenType.NATIONAL_STRING,
        TokenType.UNICODE_STRING,
        TokenType.BYTE_STRING,
        TokenType.HEX_STRING,
        TokenType.BIT_STRING,
    }
)
_OPERANDS = frozenset(
    {TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER, TokenType.R_PAREN, TokenType.COMMA, TokenType.STAR}
    | {TokenType.NULL, TokenType.TRUE, TokenType.FALSE, TokenType.END}
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END})


def tokens_of(sql: str, dialect: Dialect, limit: int = BYTES) -> list[Token]:
    """The tokens of a text that may be parsed.

    Raises:
        RefusalError: the text is too long, or holds what no query needs.
    """
    if len(sql.encode("utf-8", "surrogatepass")) > limit:
        raise over_limit(f"the SQL is longer than {limit // 1024} kB; ask for less at once")
    _check_characters(sql)
    try:
        tokens = tokenize(sql, read=dialect)
    except Exception as error:  # the tokenizer's own errors are of many kinds; each means that the text is no SQL
        raise RefusalError("not_understood", "the SQL does not parse: a quote or comment is not closed") from error
    if not tokens:
        raise RefusalError("not_understood", "there is no SQL; write one SELECT")
    _check_literals(sql, tokens, dialect)
    for token in tokens:
        _check_token(token)
    _check_nesting(tokens)
    return tokens


def _check_characters(sql: str) -> None:
    for written, name in (("${", "${"), ("/*+", "a hint (/*+)")):
        if written in sql:  # `${env:NAME}` inside a plain string literal is replaced by Spark before it parses
            raise unsafe(f"{name} is not allowed anywhere in the SQL; comments and literals are plain text")
    if _CONTROL.search(sql) or any(0xD800 <= ord(c) <= 0xDFFF for c in sql):  # NUL ends the text for some clients
        raise unsafe("the SQL holds a control character; only spaces, tabs and line ends are allowed")


def _check_literals(sql: str, tokens: list[Token], dialect: Dialect) -> None:
    position = 0
    literals = [token for token in tokens if token.token_type == TokenType.STRING]
    for token in literals:
        written = sql[token.start : token.end + 1]
        _check_outside(sql[position : token.start])
        if "\n" in written or "\r" in written:  # rendered as an escape for Spark, as itself for the others
            raise unsafe("a text literal spans lines; write it on one line")
        # `'a\'` is closed for DuckDB and Trino and open for Spark, where \' is how a quote is written.
        if "\\" in (written.replace("\\'", "") if dialect == "spark" else written):
            raise unsafe("a text literal holds a backslash; literals are plain text")
        position = token.end + 1
    _check_outside(sql[position:])
    for one, other in pairwise(tokens):  # 'O''Neil' is one text or two put together, as Spark's settings are
        if one.token_type == other.token_type == TokenType.STRING:
            raise unsafe('two text literals stand side by side; in Spark SQL a text with a quote is written "O\'Neil"')


def _check_outside(text: str) -> None:
    # U+212A is `k` to Java, U+00A0 a space to Spark and DuckDB: a name that sqlglot sees as another one.
    if not text.isascii():
        raise unsafe("a character outside ASCII stands outside a text literal; names are plain letters, digits and _")
    if "\\" in text:  # at the end of a comment it swallows the next line in Spark: LIMIT, WHERE
        raise unsafe("a backslash is not allowed outside text literals")


def _check_token(token: Token) -> None:
    if token.token_type in _OTHER_STRINGS:
        raise unsafe("only plain '…' literals are allowed, not hexadecimal, raw, escaped, unicode or $$ ones")
    if token.token_type == TokenType.SEMICOLON:
        raise unsafe("; is not allowed: one SELECT, and nothing after it")
    named = token.token_type in (TokenType.STRING, TokenType.IDENTIFIER, TokenType.NUMBER) or re.match(r"\w", token.text)
    if not named and token.text not in _PUNCTUATION:
        raise unsafe(f"{token.text} is not allowed; operators are {' '.join(sorted(_PUNCTUATION))}")


def _check_nesting(tokens: list[Token]) -> None:
    # Hundreds of nested brackets, NOT NOT NOT …, or joins without ON exhaust the stack of a recursive parser.
    depth = deepest = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        deepest = max(deepest, depth)
    if deepest > NESTING:
        raise over_limit(f"the SQL is nested deeper than {NESTING} brackets; write its parts as WITH queries")
    if any(run > _PREFIXES for run in _runs_without_operand(tokens)):
        raise over_limit(f"more than {_PREFIXES} operators or keywords follow each other; simplify the expression")
    for kind, most in ((TokenType.JOIN, _JOINS), (TokenType.SELECT, _SELECTS)):
        if sum(token.token_type == kind for token in tokens) > most:
            raise over_limit(f"the SQL has more than {most} {kind.name}s; ask for less at once")


def _runs_without_operand(tokens: list[Token]) -> Iterator[int]:
    for operand, run in groupby(tokens, key=lambda token: token.token_type in _OPERANDS):
        if not operand:
            yield sum(token.token_type not in _OPENING for token in run)
