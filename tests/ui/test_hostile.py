"""What somebody typed, or a file brought in, is shown as it is: no mark, link, icon or formula is made of it."""

from __future__ import annotations

import pytest

from streamlit_app.plain import plain, typed
from streamlit_app.vega import vega_lite
from tests.ui.page import Reader, words

_HOSTILE = [
    "claims $x^2$ and $$y$$ *by* _payer_ **now** `code` ~~gone~~",
    "[x](javascript:alert(1)) ![i](http://evil.example/i.png) <img src=x onerror=alert(1)> <b>bold</b>",
    ":material/home: :red[red] :smile: :streamlit: :blue-badge[b] :small[s]",
    "# head - list > quote 1. one | a | b | www.evil.example http://evil.example/x me@evil.example",
    "back\\slash \\* \\: &amp; &#42; {{a}} {0}",
]


@pytest.mark.parametrize("question", _HOSTILE)
def test_a_question_shows_as_typed(question: str, reader: Reader) -> None:
    """In the conversation, and where the refusal repeats its words; nothing is loaded, linked or run."""
    reader.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    answer = reader.ask(question)
    assert reader.questions == [question]
    main = reader.main
    assert not main.locator("a, img, .katex, em, b").count()
    assert words(answer)
    assert not [host for host in reader.hosts if "evil" in host]


@pytest.mark.parametrize("text", _HOSTILE)
def test_what_is_escaped_is_read_back(text: str) -> None:
    """Every mark has its backslash; without them, and the invisible joints, it is the text in one line."""
    escaped = plain(text)
    assert typed(escaped).replace("\\", "") == " ".join(text.split()).replace("\\", "")
    assert ":material/" not in escaped
    assert "http:" not in escaped


def test_a_chart_takes_names_as_names() -> None:
    """A column's name is never a path or an expression: fields are ours, its label is a title."""
    column = {"name": "a.b[0]; datum.x", "label": "<b>$x$</b>", "type": "string", "unit": "", "kind": "group"}
    measure = {"name": "n", "label": "n", "type": "bigint", "unit": "count", "kind": "metric"}
    chart = {"mark": "bar", "x": column["name"], "y": ["n"], "color": "", "title": "t"}
    spec = vega_lite({"columns": [column, measure], "rows": [["=1+1", 2], [None, None]], "chart": chart})
    assert spec
    assert {one["field"] for one in spec["encoding"].values() if isinstance(one, dict)} == {"x", "y"}
    assert [value["x"] for value in spec["data"]["values"]] == ["=1+1"]
    assert "url" not in str(spec)
    assert vega_lite({"columns": [column, measure], "rows": [["a", 1]], "chart": {**chart, "mark": "javascript"}}) is None
