"""Plans that a reader could have meant otherwise: they are not answered, since a wrong number costs more than a question back."""

from __future__ import annotations

import re
from collections.abc import Collection

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.base import Refused
from rag_backend.planners.grammar.tokens import singular
from rag_backend.query.expressions import all_where
from rag_backend.query.typed_query import TypedQuery, listed

_ITS = re.compile(
    r"\b(its|their|own|each|every)\b|\bas an? (share|percentage|percent|proportion) of (all|total|the total)\b", re.IGNORECASE
)
_MADE_UP = re.compile(r"\b(accounts? for|accounted for|makes? up|made up)\b", re.IGNORECASE)
_ONLY = re.compile(
    r"\b(only|just|solely|exclusively|all of whose|were all|are all)\b(?!\W*$)|\b(with|have|has|had) (only |just )?(one|a single)\b", re.I
)
_LABEL = re.compile(r"^(?:(?!\b(?:with|who|whose|have|has|had|having|by)\b)[^:,;?])*\bonly:", re.IGNORECASE)
_TOTAL_OF = re.compile(r"\btotals? (?:of )?(\w+)", re.IGNORECASE)
_ANY_OF = re.compile(r"\b(?:any|one|some) of (?:their|its|the|his|her) (\w+)", re.IGNORECASE)
_PART = r"(?:q[1-4]|h[12]|(?:first|second|third|fourth|last|1st|2nd|3rd|4th) (?:half|quarter))"
_SAME_PART = re.compile(
    rf"\bfrom (?:the )?(?P<part>{_PART})(?: of)? \d{{4}} (?:to|until|through) (?:the )?(?P=part)(?: of)? \d{{4}}", re.IGNORECASE
)
_TOGETHER = re.compile(r"\b(?:al(?:l )?together|combined|taken together|put together|added up|summed up)\b", re.IGNORECASE)
_COUNTED = re.compile(r"\b(how many|number|count|headcount|tally|total|amount of)\b", re.IGNORECASE)


def doubt(question: str, query: TypedQuery, model: SemanticModel) -> Refused | None:
    """Why a plan is held back, or None."""
    for told in (
        _own_whole(question, query, model),
        _said_only(question, query, model),
        _one_of_them(query),
        _left_out_of_persons(query, model),
        _of_other_days(question, query, model),
        _of_these(query, model),
        _cut(query),
        _tested(query, model),
        _left_out(query, model),
        _listed(question, query, model),
        _total_of_a_state(question, query, model),
        _any_of_several(question, query, model),
        _twice(query),
        _same_part(question, query, model),
        _either_date(question, query, model),
        _all_together(question, query, model),
    ):
        if told:
            return Refused("not_understood", told)
    return None


def _of_these(query: TypedQuery, model: SemanticModel) -> str:
    """`late loans and fines`: the fines of the late ones, or of all?"""
    kinds = [use for use in query.metrics if model.metrics[use.id].count and model.metrics[use.id].where]
    plain = [use for use in query.metrics if _of_all(use.id, [one.id for one in kinds], model)]
    if not (kinds and plain) or query.metrics[0] not in kinds:
        return ""
    return f"say whether {model.metrics[plain[0].id].label} is of the {model.metrics[kinds[0].id].label} or of all"


def _own_whole(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`the share of its loans`, `each branch's share of each genre's loans`, `A's monthly share`: of which whole?"""
    spread = [use for use in query.metrics if use.transform in ("share_of_total", "share_of_first_group")]
    limited = bool(listed(query.where))
    periods = query.group_by and all(model.dimensions[one.dim].type == "date" for one in query.group_by)
    several = len(query.group_by) > 1 or limited or any(model.metrics[use.id].where for use in spread)
    if spread and query.limit.n and limited:
        return "the largest share of its own, or of all? name the rate, or ask for the number"
    if spread and query.group_by and ((_ITS.search(question) and several and not _MADE_UP.search(question)) or (periods and limited)):
        return "say of which whole: `the share of each group that …`, or how a total is spread over the groups"
    return ""


def _one_of_them(query: TypedQuery) -> str:
    """`for A and for all branches`: split by what is limited to one."""
    single = {one.dim for one in listed(query.where) if len(one.values) == 1}
    both = any(one.dim in single for one in query.group_by)
    return "split by what is limited to a single one: leave out one of the two, or ask for each by itself" if both else ""


def _said_only(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`readers with only crime loans`, `loans with one renewal`: none of another kind; no more than one."""
    said = _ONLY.search(_LABEL.sub("", question))
    if not said or query.unit.having:
        return ""
    if (said.group(4) or "").casefold() not in ("one", "a single"):
        counted = {model.metrics[use.id].count for use in query.metrics} | {query.entity}
        persons = any(name and not model.entities[name].dated for name in counted)
        persons = persons or any(model.dimensions[one.dim].entity for one in query.group_by)
        kinds = bool(query.where) or any(model.metrics[use.id].where for use in query.metrics)
        if not (persons and kinds):
            return ""
    return f"{said.group()!r}: say it by a number, such as `exactly 1`, or by what they have none of"


def _left_out_of_persons(query: TypedQuery, model: SemanticModel) -> str:
    """`readers with crime but not poetry`: none of their loans, or some loan that is not?"""
    persons = {name for use in query.metrics if (name := model.metrics[use.id].count) and not model.entities[name].dated}
    tables = {model.entities[name].table for name in persons} - {""}
    for one in all_where(query):
        declared = model.dimensions[one.dim]
        joined = model.joins[declared.join].table if declared.join else ""
        if persons and one.op == "not_in" and declared.describes not in persons and joined not in tables and not declared.shows_labels:
            return f"none of their lines may have this {declared.label}, or some line has another? name those who have none of a kind"
    return ""


def _of_other_days(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`paid within 30 days`, where days are counted to another date."""
    values = [model.metrics[one.metric].value for one in query.unit.having if model.metrics[one.metric].per]
    said = set(re.findall(r"[a-z]+", question.casefold()))
    for declared in model.dimensions.values():
        if values and declared.verbs and said & set(declared.verbs) and not any(declared.sql in value for value in values):
            return f"days are counted between other dates than the {declared.label}"
    return ""


def _of_all(metric: str, kinds: Collection[str], model: SemanticModel) -> bool:
    """Whether a number beside a count of a kind is of all lines; a ratio of that very count says itself what it is of."""
    declared = model.metrics[metric]
    if declared.ratio:
        return not set(declared.ratio) & set(kinds)
    return bool(declared.per) or (bool(declared.sum) and not declared.where)


def _cut(query: TypedQuery) -> str:
    """The first rows of several groups, or of each of something: of all rows, or for each?"""
    if not query.limit.n or query.limit.per:
        return ""
    several = len(query.group_by) > 1
    return "say whether the first rows are meant of all, or for each of one thing: `top 2 A for each B`" if several else ""


def _tested(query: TypedQuery, model: SemanticModel) -> str:
    """A threshold on what lies within the thing that is counted: for each of those, or for each group?"""
    counted = {model.metrics[use.id].count for use in query.metrics} - {""}
    within = {entity for one in query.having if (tested := model.metrics[one.metric].count) for entity in model.entities[tested].within}
    both = sorted(counted & within)
    return f"say whether the threshold is for each of the {model.entities[both[0]].label} or for each group" if both else ""


def _left_out(query: TypedQuery, model: SemanticModel) -> str:
    """`loans without a renewal of kind A`, where a loan has many: not one of them, or any of another kind?"""
    without = sorted({one.dim for one in all_where(query) if one.op in ("not_in", "is_null") and model.dimensions[one.dim].mixed})
    whole = {entity for one in model.entities.values() for entity in one.within}
    counted = sorted({model.metrics[part].count for use in query.metrics for part in model.parts(use.id)} & whole)
    if not (without and counted):
        return ""
    label, noun = model.dimensions[without[0]].label, model.entities[counted[0]].label
    return f"one of the {noun} has several lines: without this {label} on any of them, or with another one on some? ask for lines"


def _listed(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """A noun alone of what can be listed: the list, or how many?"""
    if query.form != "measure" or query.group_by or query.having or len(query.metrics) != 1 or _COUNTED.search(question):
        return ""
    entity = model.metrics[query.metrics[0].id].count
    plain = query.metrics[0].transform == "none" and query.metrics[0].stat == "default"
    return f"say `list {entity}s …` or `how many {entity}s …`" if entity and plain and model.entities[entity].list else ""


def _total_of_a_state(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`along with total returned`: an amount, where the query only limits lines to those of that state."""
    said = {match[1].casefold() for match in _TOTAL_OF.finditer(question)}
    tested = [one.metric for one in (*query.having, *query.unit.having)]
    shown = {part for name in (*(use.id for use in query.metrics), *tested) for part in (name, *model.parts(name))}
    for word in sorted(said):
        named = {name for name, one in model.metrics.items() if word in one.words}
        if named and not named & shown:
            return f"'total {word}': the {model.metrics[min(named)].label}, or how many are {word}?"
    return ""


def _any_of_several(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`T1 as any of their tags`: any place in the list, not the first."""
    lists = {name: one for name, one in model.dimensions.items() if one.several}
    for match in _ANY_OF.finditer(question):
        word = singular(match[1].casefold())
        meant = [name for name, one in lists.items() if any(word == singular(last) for text in one.words for last in text.split()[-1:])]
        if meant and not set(meant) & query.dimensions:
            return f"{match.group()!r}: say `with … among {lists[meant[0]].label}`"
    return ""


def _twice(query: TypedQuery) -> str:
    """Two lists of values of one dimension as alternatives: one of them was meant for something else."""
    own = [query.where, *(use.where for use in query.metrics)]
    for group in (group for where in own for group in where):
        said = [(one.dim, value) for one in group if one.op == "in" for value in one.values]
        dims = [one.dim for one in group if one.op == "in"]
        if len(said) > len(set(said)) or len(dims) > len(set(dims)):
            return "one thing is limited twice in different ways: ask for one of them"
    return ""


def _same_part(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`from Q1 2025 to Q1 2026`: both of them side by side, or all the time between?"""
    along = any(model.dimensions[one.dim].type == "date" for one in query.group_by)
    if query.compare or along or not _SAME_PART.search(question):
        return ""
    return "the two periods beside each other, or all the time from one to the other? say `compare … with …`, or name the days"


def _either_date(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`what share of the fines was paid in 2025`: a rate goes by another date only if the verb is not of the rate itself."""
    declared, said = model.dimensions.get(query.time.date), question.casefold()
    if declared is None or any(word.casefold() in said for word in (declared.label, *declared.words)):
        return ""
    for use in query.metrics:
        own = {word for part in model.metrics[use.id].ratio or () for word in model.metrics[part].words}
        if own & set(declared.verbs) and query.time.date != model.date_of(use.id):
            usual = model.dimensions[model.date_of(use.id)].label
            return f"{model.metrics[use.id].label}: by {declared.label}, or by {usual}? say which date is meant"
    return ""


def _all_together(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """`fees plus fines, all together`: one sum of several amounts; `what did branches in A lend altogether`: one number, no split."""
    said = _TOGETHER.search(question)
    if not said:
        return ""
    if len(query.metrics) > 1:
        return f"{said.group()!r}: a sum of several numbers is not declared; ask for each of them"
    split = any(model.dimensions[one.dim].type != "date" for one in query.group_by)
    return f"{said.group()!r}: one number, or a row for each? say `total …`, or `… by …`" if split and " by " not in question else ""
