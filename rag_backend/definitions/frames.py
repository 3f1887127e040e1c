"""How English asks what a word means: wordings with a place for the word. No word of any domain stands here.

`x`, `y`: what is asked about; `p` said of `s` is asked about as well; `c`: where it stands. A frame is SURE when nothing else could be
meant, LIKELY when only a word that has a definition makes it such a question, LISTING when values or parts are asked for, NAMING when
parts may be, and BARE when the article decides: "what is x".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rag_backend.definitions.catalogue import words_of

Certainty = Literal["sure", "likely", "listing", "naming", "bare"]

_BEFORE = (
    r"(?:please|so|and|then|ok|okay|well|just|quickly|quick question|sorry|hi|hello|hey|but|also|now|can you|could you|would you|will you|"
    r"can i ask|may i ask|i want to know|i would like to know|i'd like to know|i need to know|i don't know|i do not know|"
    r"i don't understand|i do not understand|do you know|does anyone know|tell me|explain to me|let me know|remind me|"
    r"help me understand|to me|for me|in general|in plain words|in plain english|in simple terms|in short|in words|"
    r"(?:i|we) (?:often |always |just |keep |kept |have |never )*(?:read|reading|hear|hearing|heard|see|seeing|saw|seen|found|came across)"
    r"(?: about| of)?|i wonder|i am wondering|i'm wondering|,)"
)
_AFTER = (
    r"(?:please|exactly|precisely|actually|here|to me|for me|again|in general|in plain words|in plain english|in simple terms|in words|"
    r"in this data|in our data|in the data|in this dataset|in the dataset|in this system|thanks|thank you|then|anyway|,)"
)
_BE = r"(?:is|are|was|were|be|being|'s|'re)"
_WE = r"(?:we|you|i|one|they|people|it|the data|the system|this system|the report|the reports)"
_WORKED_OUT = (
    r"(?:calculated|computed|defined|measured|determined|derived|worked out|figured out|arrived at|counted|obtained|established|"
    r"assigned|formed|made up|built|set|dated|derived from|estimated|decided on|constructed|put together)"
)
_WORK_OUT = (
    r"(?:calculate|compute|define|measure|determine|derive|work out|figure out|arrive at|count|obtain|establish|assign|interpret|read|"
    r"understand)"
)
_COUNT_AS = (
    r"(?:count as|counts as|qualify as|qualifies as|qualify for|is counted as|are counted as|is considered|are considered|is classified as|"
    r"are classified as|is regarded as|are regarded as|is treated as|are treated as|is deemed|are deemed|is defined as|are defined as|"
    r"is seen as|are seen as|is called|are called|is classed as|are classed as|go as|goes as|is known as|are known as|mean|means)"
)
_BELONG = (
    r"(?:fall under|falls under|fall into|falls into|fall in|falls in|belong to|belongs to|is included in|are included in|make up|makes up|"
    r"is part of|are part of|is covered by|are covered by|map to|maps to|is mapped to|are mapped to|define|defines|is in|are in|"
    r"is under|are under|is behind|are behind|is used for|are used for|stand for|stands for|describe|describes|represent|represents)"
)
_MEANING = r"(?:definition|definitions|meaning|meanings|sense|formula|formulas|interpretation|explanation|calculation|logic)"
_OF_MEANING = rf"(?:exact |precise |short |formal |official )?{_MEANING} (?:of|for|behind) (?P<x>.+)"
_PART = r"(?:stages?|steps?|parts?|values?|kinds?|types?|categories|groups?|codes?|levels?|options?|bands?|components?|phases?)"
_DIFFERENCE = r"(?:differences?|distinctions?)"
_STANDS = r"(?:mean|stand for|signify|refer to|denote|represent|imply)"
_STANDING = r"(?:means|stands for|signifies|refers to|denotes|represents|mean|stand for)"
_WHERE = r"(?: (?:in|for|on|under|within|of|by|per|across|to|from|over) (?P<c>.+))?"
_TELL = r"(?:give |show |state |write |need |want |look up |get |provide |read )?"
_ASKED_HOW = r"(?:explain |describe |show )?how"
_MADE = r"(?:made up of|made of|made up from|composed of|comprised of|based on|built from|calculated from|computed from|derived from)"
_REGARDED = r"(?:counted|considered|regarded|treated|classified|classed|called|deemed|said|seen)"
_DATED = r"(?:dated by|dated|use|uses|used|based on|go by|counted by)"
_HOLD = r"(?:include|cover|contain|comprise|consist of|tell|describe|express|measure|say|show|capture)"
_IN_USE = r"(?:are there|exist|do we have|do you have|do we use|do you use|are declared|are known|are used|are possible)"
_HAS = r"(?:does|do|has|have|are there in|are in|exist in|exist for|are there for|are there of|are used in)"

_SURE = (
    rf"what (?:does|do|did|would|could) (?P<x>.+?) {_STANDS}{_WHERE}",
    rf"what (?P<x>.+?) {_STANDING}{_WHERE}",
    rf"what {_BE} (?:meant|understood|implied) by (?P<x>.+)",
    rf"what (?:do|does|did) {_WE} (?:mean|understand|call) (?:by|under)? ?(?P<x>.+)",
    rf"(?:define |explain |describe |clarify )?what {_WE} (?:mean|understand|call) (?:by|under)? ?(?P<x>.+)",
    rf"{_TELL}(?:me |us )?(?:the |a )?{_OF_MEANING}",
    rf"what {_BE} (?:the |a |your |our )?{_OF_MEANING}",
    rf"(?P<x>.+) {_MEANING}",
    rf"{_MEANING} , (?P<x>.+)",
    rf"(?:define|clarify) (?:what )?(?P<x>.+?)(?: {_BE})?(?: (?:in|for|within) (?P<c>.+))?",
    rf"{_ASKED_HOW} (?:does|do|did|can|should|would|will) {_WE} {_WORK_OUT} (?P<x>.+)",
    rf"{_ASKED_HOW} to {_WORK_OUT} (?P<x>.+)",
    rf"{_ASKED_HOW} (?:does|do) (?:the |this |our |your )?[a-z]+ (?:calculate|compute|define|derive|work out|determine) (?P<x>.+)",
    rf"{_ASKED_HOW} {_BE} (?P<x>.+?) {_WORKED_OUT}{_WHERE}",
    rf"{_ASKED_HOW} (?P<x>.+?) {_BE} {_WORKED_OUT}{_WHERE}",
    rf"what {_COUNT_AS} (?P<x>.+)",
    r"what (?:goes into|goes in|makes up|make up|is included in|are included in|is counted in|is behind|stands behind|"
    r"counts? towards?|goes? towards?|contributes? to|adds? up to) (?P<x>.+)",
    rf"what {_BE} (?P<x>.+?) {_MADE}",
    rf"(?:which|what) (?P<s>.+?) {_COUNT_AS} (?P<x>.+)",
    r"when (?:does|do|did|would|will|can|should) (?P<s>.+?) (?:count|qualify|go|class) (?:as|for|to be) (?P<p>.+)",
    rf"when {_BE} (?P<s>.+?) {_REGARDED}(?: as| to be)? (?P<p>.+)",
    r"what does it mean (?:that|if|when|for)? ?(?P<s>.+?) (?:is|are|was|were|to be|being) (?P<p>.+)",
    r"what does it mean (?:to be|being|to have) (?P<p>.+)",
    r"what (?:makes|turns) (?P<s>.+?) (?:count as|into|qualify as) (?P<p>.+)",
    r"what (?:is|are) (?P<x>.+?) (?:defined|known|understood) as",
)
_LIKELY = (
    rf"(?:what (?:is|are) |explain |describe |show )?(?:the |a )?(?:main |exact )?{_DIFFERENCE}(?: in meaning)? between (?P<x>.+)",
    r"how (?:does|do|did|would) (?P<x>.+?) differ from (?P<y>.+)",
    r"how (?:do|does) (?P<x>.+?) (?:differ|compare in meaning)",
    rf"how {_BE} (?P<x>.+?) (?:different|distinct|distinguished) from (?P<y>.+)",
    rf"{_BE} (?P<x>.+?) the same (?:thing )?(?:as|like) (?P<y>.+)",
    r"what (?:separates|distinguishes|sets apart|differentiates|tells) (?P<x>.+?)(?: apart)? from (?P<y>.+)",
    rf"(?P<x>.+?) ,? ?(?:what|how) (?:is|are|do|does) (?:the |they )?(?:{_DIFFERENCE}|differ)",
    rf"{_BE} (?P<x>.+?) (?:{_REGARDED}(?: as| to be| in| among)?|part of|included in|a kind of|a type of) (?P<y>.+)",
    r"(?:do|does) (?P<x>.+?) (?:count as|count towards?|count in|count among|include|contain|cover|exclude|belong to) (?P<y>.+)",
    rf"what (?:does|do|did|would) (?P<x>.+?) {_HOLD}(?: us| me)?",
    rf"(?:which|what) (?P<s>.+?) {_BELONG} (?P<x>.+)",
    r"(?:explain|describe|elaborate on|clarify)(?: what)? (?P<x>.+?)(?: (?:is|are|means|mean|does|do))?",
    r"what (?P<x>.+?) (?:is|are)",
    rf"what (?:date|day|time) (?:is|does|do|are) (?P<x>.+?) {_DATED}",
    r"(?:which|what) (?:date|day) (?:is|are) used for (?P<x>.+)",
)
_LISTING = (
    rf"(?:which|what) {_PART} {_HAS} (?P<x>.+?)(?: have| has| use| consist of| contain| go through| pass)?",
    rf"(?:which|what) (?P<x>.+?) {_IN_USE}",
)
_NAMING = (r"(?:name|list|enumerate|give me|show me|show|tell me|list all|name all|what are all) (?:the |all |all the )?(?P<x>.+)",)
_BARE = (r"(?:what is|what are|what was|what were|who is|who are) (?P<x>.+)",)
# What may close a question of meaning: "x, what is that?", "the parts of x and what do they mean".
_CLOSING = re.compile(
    r"(?P<x>.+?)(?: ,)?(?: and)? (?:what|how) (?:does|do|is|are) (?:it|that|this|they|those|these|each)(?: both)?(?: words?| terms?)?"
    rf"(?: (?:mean|stand for|refer to|{_WORKED_OUT}))?"
)
_SPELT = {"what's": "what is", "whats": "what is", "what're": "what are", "how's": "how is", "who's": "who is", "when's": "when is"}
_SAYS_NOTHING = frozenset({"exactly", "precisely", "actually", "really", "even"})


def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


_FRAMES: tuple[tuple[Certainty, tuple[re.Pattern[str], ...]], ...] = (
    ("sure", _compiled(_SURE)),
    ("likely", _compiled(_LIKELY)),
    ("listing", _compiled(_LISTING)),
    ("naming", _compiled(_NAMING)),
    ("bare", _compiled(_BARE)),
)
_LEADING, _TRAILING = re.compile(rf"^(?:{_BEFORE} )+"), re.compile(rf"(?: {_AFTER})+$")
_LONGEST = 300


@dataclass(frozen=True)
class Asked:
    """One way to read the wording: what is asked about, and of what or where it is said."""

    certainty: Certainty
    about: tuple[str, ...]
    context: tuple[str, ...] = ()
    said: bool = False


def frames_of(question: str) -> Iterator[Asked]:
    """Every frame that the question fits, the surest first."""
    if len(question) > _LONGEST:
        return
    text = _plain(question)
    if closing := _CLOSING.fullmatch(_trimmed(text)):
        rest = closing["x"].strip(" ,")
        yield Asked("sure", (rest,))
        yield from _framed(rest)
    yield from _framed(text)


def _framed(text: str) -> Iterator[Asked]:
    whole = _LEADING.sub("", text)
    for certainty, patterns in _FRAMES:
        for pattern in patterns:
            for wording in dict.fromkeys((whole, _trimmed(text))):
                if match := pattern.fullmatch(wording):
                    yield _asked(certainty, match)


def _trimmed(text: str) -> str:
    return _TRAILING.sub("", _LEADING.sub("", text))


def _plain(question: str) -> str:
    return " ".join(_SPELT.get(word, word) for word in words_of(question) if word not in _SAYS_NOTHING).strip(" ,")


def _asked(certainty: Certainty, match: re.Match[str]) -> Asked:
    found = {name: text.strip(" ,") for name, text in match.groupdict().items() if text and text.strip(" ,")}
    about = tuple(found[name] for name in ("x", "y", "p") if name in found)
    context = tuple(found[name] for name in ("s", "c") if name in found)
    return Asked(certainty, about, context, said="p" in found)
