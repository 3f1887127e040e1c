"""What a model may write into SQL by itself: texts that the question says or the data hold, and no column of an answer made of constants.

Without this a cell could say anything, and a number could be one that nobody counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from rag_backend.planners.grammar.lexicon import Lexicon

_UNITS = r"days?|weeks?|months?|quarters?|years?|dow|isodow"
_PLAIN = re.compile(rf"\d{{4}}-\d{{2}}(?:-\d{{2}})?|{_UNITS}|[\s,;_-]*|(?:%[a-zA-Z][\s/-]?)+", re.IGNORECASE)


def strange_text(sql: str, dialect: str, question: str, lexicon: Lexicon) -> bool:
    """Whether a text literal is neither said in the question nor a value, or the beginning of one, that is declared or in the data."""
    texts = [token.text for token in sqlglot.tokenize(sql, read=dialect) if token.token_type == TokenType.STRING]
    strange = [text for text in texts if not (_PLAIN.fullmatch(text) or stands(text.strip("%_ "), question))]
    known = set(_values(lexicon)) if strange else set()
    return any(not _of_a_value(text.casefold(), known) for text in strange)


def stands(text: str, question: str) -> bool:
    """Whether a text stands in a question, as a word or as whole words."""
    return bool(text) and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", question, re.IGNORECASE) is not None


def _of_a_value(text: str, known: set[str]) -> bool:
    return text in known or (text.endswith("%") and any(value.startswith(text[:-1]) for value in known))


def _values(lexicon: Lexicon) -> Iterator[str]:
    """Values, in small letters, of what is public."""
    for name, declared in lexicon.model.dimensions.items():
        if declared.privacy == "public":
            yield from (value.casefold() for value in lexicon.model.values_of(name))
            yield from (entry.value.casefold() for entry in lexicon.values.of.get(name, ()))


def has_constant_column(tree: exp.Expr) -> bool:
    """Whether a column of the answer, or of what it is made from, is neither read from a table nor counted."""
    selects = (select for select in tree.find_all(exp.Select) if not isinstance(select.parent, exp.Exists))
    return any(one.find(exp.Column, exp.AggFunc, exp.Window) is None for select in selects for one in select.expressions)
