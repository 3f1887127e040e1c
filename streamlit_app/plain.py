"""Text as it was typed, where Streamlit reads Markdown: in labels, captions and notices nothing of it becomes a mark, a link or an icon."""

from __future__ import annotations

import re

_MARK = re.compile(r"([!-/:-@\[-`{-~])")
# Icons, colours, emoji and bare addresses are looked for after the backslashes are gone: an invisible joint takes them apart.
_JOINT = "\N{WORD JOINER}"
_LATER = re.compile(r"(\\[:@]|www(?=\\\.))", re.I)


def plain(text: object) -> str:
    """Markdown that shows this text in one paragraph, and nothing else."""
    return _LATER.sub(rf"\1{_JOINT}", _MARK.sub(r"\\\1", " ".join(str(text).split())))


def typed(shown: str) -> str:
    """What was given to `plain`, read back from the page."""
    return shown.replace(_JOINT, "")
