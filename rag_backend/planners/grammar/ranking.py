"""Superlatives and rankings: "the highest late rate", "top 5 branches by fine amount", "most common", "sorted by"."""

from __future__ import annotations

from rag_backend.planners.grammar.draft import Ask, Reading
from rag_backend.planners.grammar.english import ORDINALS
from rag_backend.planners.grammar.groups import ordered_by, subject_at
from rag_backend.planners.grammar.measures import measure_at

_LEADS = ("WITH", "HAVE", "FILL", "THAT", "COP", "PREP")


def top_rule(r: Reading, place: int) -> int | None:
    """`top 5 branches`, `bottom 3`: how many rows of what."""
    if r.cat(place) not in ("TOP", "BOTTOM"):
        return None
    j, number = place + 1, 0
    if r.cat(j) == "NUM" and not r.node(j).percent:
        number, j = int(r.node(j).number), j + 1
    common = r.cat(j) in ("COMMON_DESC", "COMMON_ASC")
    last = subject_at(r, j + common, place)
    if last is None:
        return None
    r.draft.top = "bottom" if r.cat(place) == "BOTTOM" else "top"
    r.draft.limit = number or (1 if _is_singular(r, last - 1) else -1)
    if common:
        _by_count(r, True, last)
    r.span("limit", place, j)
    return last


def _is_singular(r: Reading, place: int) -> bool:
    return not r.node(place).text.casefold().endswith("s")


def common_rule(r: Reading, place: int) -> int | None:
    """`most common genre`: by how often it occurs."""
    number = int(r.node(place).number) if r.cat(place) == "NUM" else 0
    j = place + bool(number)
    if r.cat(j) not in ("COMMON_DESC", "COMMON_ASC"):
        return None
    desc = r.cat(j) == "COMMON_DESC"
    if r.draft.subject is not None:
        _by_count(r, desc, j + 1)
        r.draft.limit = r.draft.limit or 1
        return j + 1
    last = subject_at(r, j + 1, place)
    if last is None:
        return None
    r.draft.top = "top"
    r.draft.limit = number or (1 if _is_singular(r, last - 1) else -1)
    _by_count(r, desc, last)
    return last


def _by_count(r: Reading, desc: bool, last: int) -> None:
    metric = next((name for name, one in r.lexicon.model.metrics.items() if one.count and not one.where), "")
    r.draft.asks.append(Ask(metric, first=last - 1, last=last, noun=r.lexicon.model.metrics[metric].count))
    r.draft.order.append((metric, desc))
    r.span(f"order_by {metric}", last - 1, last)


def superlative_rule(r: Reading, place: int) -> int | None:
    """`the highest late rate`, `most loans`, `second lowest`, and `paid the most` after its metric."""
    j, offset = r.skip(place, *_LEADS), 0
    if r.cat(j) in ("JUNK", "NUM") and r.node(j).text.casefold() in ORDINALS:
        offset, j = ORDINALS[r.node(j).text.casefold()] - 1, j + 1
    number = 0
    if r.cat(j) == "NUM" and r.cat(j + 1).startswith("SUP_"):
        number, j = int(r.node(j).number), j + 1
    if not r.cat(j).startswith("SUP_"):
        return None
    desc = r.cat(j) == "SUP_DESC"
    after = r.skip(j + 1, "PREP", "FILL") if r.node(j).text.casefold() not in ("most", "least") else j + 1
    share = r.cat(after) == "SHARE"
    after = r.skip(after + 1, "PREP", "FILL") if share else after
    ask = measure_at(r, after)
    if ask is not None and r.draft.top:
        return None
    if ask is not None:
        last = ordered_by(r, ask.last, after, desc)
        r.draft.asks[-1].transform = "share_of_total" if share else "none"
    elif r.node(j).text.casefold() in ("most", "least") and r.cat(j - 1 - (r.cat(j - 1) == "FILL")) == "METRIC" and r.draft.asks:
        r.draft.order.append((r.draft.asks[-1].id, desc))
        last = j + 1
    else:
        return None
    if r.draft.limit == 0 or number:
        r.draft.limit = number or 1
    r.draft.offset = offset
    r.draft.flags.add("winner")
    r.span("order_by", place, last)
    return last


def order_rule(r: Reading, place: int) -> int | None:
    """`sorted by fine amount descending`, `lowest first`."""
    cat = r.cat(place)
    if cat in ("DIR_DESC", "DIR_ASC") and r.draft.order:
        r.draft.order[-1] = (r.draft.order[-1][0], cat == "DIR_DESC")
        return place + 1
    if cat in ("DIR_DESC", "DIR_ASC") and len(r.draft.asks) == 1 and r.draft.groups:
        r.draft.order.append((r.draft.asks[0].id, cat == "DIR_DESC"))
        return place + 1
    if cat != "ORDER":
        return None
    j = r.skip(place + 1, "FILL", "SUP_DESC", "SUP_ASC")
    down = r.cat(j - 1) != "SUP_ASC"
    ask = measure_at(r, j)
    if ask is not None and not (r.dim(j) and (r.dim(j), "none") in r.draft.groups):
        return ordered_by(r, ask.last, j, down)
    dims = [dim for dim, _ in r.draft.groups]
    if r.dim(j) in dims:
        r.draft.order.append((r.dim(j), False))
        return j + 1
    if r.cat(j).startswith("GRAIN_") and ("", r.cat(j)[6:]) in r.draft.groups:
        r.draft.order.append(("", False))
        return j + 1
    return None


def number_of_rows_rule(r: Reading, place: int) -> int | None:
    """`the 5 branches with the highest …`: as many rows, of what a ranking follows."""
    if r.cat(place) != "NUM" or r.draft.asks or r.draft.subject or r.draft.limit or r.node(place).percent:
        return None
    k = place + 1
    if not any(r.cat(n).startswith("SUP_") or r.cat(n) == "ORDER" for n in range(k, len(r.nodes))):
        return None
    last = subject_at(r, k, place)
    if last is not None:
        r.draft.limit = int(r.node(place).number)
    return last
