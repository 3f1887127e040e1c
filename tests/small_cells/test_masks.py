"""Small cells by hand: which cells of small tables are masked, and which are not."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.small_cells.lines import Claims, by_group, small

_BY_PAYER: dict[str, Any] = {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}]}
_JANUARY, _FEBRUARY, _MARCH = date(2026, 1, 15), date(2026, 2, 15), date(2026, 3, 15)


def _payers(aetna: int, bluecross: int, unitedhealth: int) -> list[Claims]:
    return [Claims(aetna, payer="aetna"), Claims(bluecross, payer="bluecross"), Claims(unitedhealth, payer="unitedhealth")]


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((50, 40, 30), (50, 40, 30)),
        ((50, 40, 11), (50, 40, 11)),
        ((50, 40, 10), (50, None, None)),  # alone it would be the total less the others
        ((50, 1, 10), (50, None, None)),  # two protect each other
        ((5, 4, 3), (None, None, None)),
    ],
)
def test_one_to_ten_are_masked_and_one_alone_takes_the_next(counts: tuple[int, ...], shown: tuple[int | None, ...]) -> None:
    """A single masked cell takes the next smallest with it, and no more."""
    with small(*_payers(*counts)) as lines:
        assert by_group(lines.rows(_BY_PAYER)) == dict(zip(("aetna", "bluecross", "unitedhealth"), shown, strict=True))


def test_ties_go_to_the_lowest_key() -> None:
    """Of two next smallest, the one whose key comes first."""
    with small(*_payers(20, 5, 20)) as lines:
        assert by_group(lines.rows(_BY_PAYER)) == {"aetna": None, "bluecross": None, "unitedhealth": 20}


def test_zero_is_shown_and_protects_nothing() -> None:
    """Nobody is told from a zero; the next smallest that is not zero is taken."""
    asked = {**_BY_PAYER, "metrics": [{"id": "denied_claim_count"}]}
    with small(
        *_payers(30, 30, 40), Claims(4, status="denied", code="97"), Claims(12, payer="bluecross", status="denied", code="97")
    ) as lines:
        assert by_group(lines.rows(asked)) == {"aetna": None, "bluecross": None, "unitedhealth": 0}


def test_many_claims_of_few_members_are_few() -> None:
    """Support is claims and members, whichever is less."""
    with small(Claims(40, members=10), Claims(60, payer="bluecross"), Claims(70, payer="unitedhealth")) as lines:
        assert by_group(lines.rows(_BY_PAYER)) == {"aetna": None, "bluecross": None, "unitedhealth": 70}


@pytest.mark.parametrize(("denied", "shown"), [(10, False), (11, True), (0, True), (89, True), (90, False), (100, True)])
def test_a_rate_reveals_both_parts_and_their_difference(denied: int, shown: bool) -> None:
    """Of 100 adjudicated claims: 1 to 10 denied, or all but 1 to 10, are masked."""
    with small(Claims(denied, status="denied", code="97"), Claims(100 - denied), Claims(60, status="pending", paid=None)) as lines:
        [(rate,)] = lines.rows({"metrics": [{"id": "denial_rate"}]})
        assert rate == (denied / 100 if shown else None)


def test_an_average_reveals_the_claims() -> None:
    """Over 10 claims none is shown; over 11 it is."""
    with small(Claims(10), Claims(11, payer="bluecross")) as lines:
        rows = by_group(lines.rows({**_BY_PAYER, "metrics": [{"id": "average_billed_per_claim"}]}))
    assert rows == {"aetna": None, "bluecross": 100.0}


def test_a_sum_reveals_those_who_added_to_it() -> None:
    """Fifty claims of which five were paid anything: what those five were paid is not shown, what all were billed is."""
    with small(Claims(5), Claims(45, status="denied", code="97", paid="0.00")) as lines:
        assert lines.rows({"metrics": [{"id": "paid_amount"}]}) == [(None,)]
        assert float(lines.rows({"metrics": [{"id": "billed_amount"}]})[0][0]) == 5000


def test_two_columns_do_not_tell_a_third() -> None:
    """Submitted less accepted are the rejected: 4 of them mask the later column."""
    with small(Claims(96), Claims(4, status="rejected", paid=None)) as lines:
        assert lines.rows({"metrics": [{"id": "submitted_claim_count"}, {"id": "accepted_claim_count"}]}) == [(100, None)]
    with small(Claims(80), Claims(20, status="rejected", paid=None)) as lines:
        assert lines.rows({"metrics": [{"id": "submitted_claim_count"}, {"id": "accepted_claim_count"}]}) == [(100, 80)]


def test_several_columns_do_not_tell_another() -> None:
    """Adjudicated less approved less denied are the reversed: each difference is of many, all together are of four."""
    asked = {"metrics": [{"id": "adjudicated_claim_count"}, {"id": "approved_claim_count"}, {"id": "denied_claim_count"}]}
    made = [Claims(60), Claims(30, status="denied", code="97")]
    for reversed_, shown in ((4, (94, 60, None)), (0, (90, 60, 30)), (14, (104, 60, 30))):
        with small(*made, Claims(reversed_, status="reversed")) as lines:
            assert lines.rows(asked) == [shown]


def test_a_tested_number_beside_a_shown_one_does_not_tell() -> None:
    """All but four of those submitted were accepted: who sees the one finds no group by a threshold on the other."""
    asked = {**_BY_PAYER, "having": [{"metric": "accepted_claim_count", "op": "ge", "value": 20}]}
    with small(*_payers(50, 40, 60), Claims(4, status="rejected", paid=None)) as lines:
        answer = lines.answer(asked)
    assert ([row[0] for row in answer.table.rows], answer.left_out) == (["unitedhealth"], 2)


def test_what_added_nothing_protects_no_sum() -> None:
    """The next smallest has twenty claims that nothing was paid for: the total would tell the masked sum, so the next is taken."""
    asked = {**_BY_PAYER, "metrics": [{"id": "paid_amount"}]}
    nothing = Claims(20, payer="bluecross", status="denied", code="97", paid="0.00")
    with small(Claims(5), nothing, Claims(30, payer="unitedhealth"), Claims(40, payer="other")) as lines:
        found = by_group(lines.rows(asked))
    assert [found["aetna"], found["unitedhealth"]] == [None, None]
    assert [float(found["bluecross"]), float(found["other"])] == [0, 2000]


def test_a_group_that_no_line_has_is_masked() -> None:
    """A table of totals that does not agree with the lines is not believed."""
    with small(*_payers(50, 40, 30)) as lines:
        answer = lines.answer(_BY_PAYER, rows=[("aetna", 50), ("AETNA", 40), ("bluecross", 30), ("unitedhealth", 20)])
    assert by_group(answer.table.rows) == {"aetna": 50, "bluecross": 30, "unitedhealth": None, "AETNA": None}


def test_a_masked_count_is_not_told_by_its_rate() -> None:
    """A cell that only protects another is not worked out from a ratio of it in the same row."""
    asked = {**_BY_PAYER, "metrics": [{"id": "denied_claim_count"}, {"id": "adjudicated_claim_count"}, {"id": "denial_rate"}]}
    denied = [Claims(n, payer=p, status="denied", code="97") for n, p in ((5, "aetna"), (20, "bluecross"), (30, "unitedhealth"))]
    with small(*_payers(100, 100, 100), *denied) as lines:
        found = {row[0]: row[1:] for row in lines.rows(asked)}
    assert found["unitedhealth"] == (30, 130, 30 / 130)
    assert found["bluecross"] == (None, 120, None)
    assert found["aetna"] == (None, 105, None)


@pytest.mark.parametrize(("other", "shown"), [(10, None), (11, 50), (0, 50)])
def test_dropping_a_filter_leaves_no_few(other: int, shown: int | None) -> None:
    """With the filter dropped there would be 1 to 10 claims more."""
    with small(Claims(50), Claims(other, payer="bluecross")) as lines:
        asked = {"metrics": [{"id": "claim_count"}], "where": [[{"dim": "payer", "op": "in", "values": ["aetna"]}]]}
        assert lines.rows(asked) == [(shown,)]


@pytest.mark.parametrize(
    ("op", "values", "few", "shown"),
    [
        ("in", ["aetna", "bluecross"], 5, None),
        ("in", ["aetna", "bluecross"], 15, 115),
        ("not_in", ["bluecross", "unitedhealth"], 5, None),
        ("not_in", ["bluecross", "unitedhealth"], 15, 100),
    ],
)
def test_dropping_one_value_leaves_no_few(op: str, values: list[str], few: int, shown: int | None) -> None:
    """Each value of a list by itself: with one of them dropped, bluecross's few would be left."""
    with small(*_payers(100, few, 30)) as lines:
        asked = {"metrics": [{"id": "claim_count"}], "where": [[{"dim": "payer", "op": op, "values": values}]]}
        assert lines.rows(asked) == [(shown,)]


def test_rows_and_columns_of_two_groups_have_no_single_mask() -> None:
    """In a table of payers and months every line has none masked or two."""
    counts = {("aetna", 1): 5, ("aetna", 2): 30, ("aetna", 3): 40, ("bluecross", 1): 20, ("bluecross", 2): 50, ("bluecross", 3): 60}
    made = [Claims(n, payer=payer, day=date(2026, month, 15)) for (payer, month), n in counts.items()]
    asked = {**_BY_PAYER, "group_by": [{"dim": "payer"}, {"dim": "claim_service_date", "grain": "month"}]}
    with small(*made) as lines:
        found = {(row[0], row[1].month): row[2] for row in lines.rows(asked)}
    masked = {key for key, value in found.items() if value is None}
    assert masked == {("aetna", 1), ("bluecross", 1), ("aetna", 2), ("bluecross", 2)}


def test_shares_of_a_masked_cell_are_masked() -> None:
    """The share of the masked, and every share when the total would leave a few."""
    asked = {**_BY_PAYER, "metrics": [{"id": "claim_count", "transform": "share_of_total"}]}
    with small(*_payers(50, 20, 10)) as lines:
        assert {row[0]: row[1:] for row in lines.rows(asked)} == {
            "aetna": (50, 50 / 80),
            "bluecross": (None, None),
            "unitedhealth": (None, None),
        }
    with small(*_payers(50, 4, 3)) as lines:
        assert {row[0]: row[1:] for row in lines.rows(asked)}["aetna"] == (50, None)


@pytest.mark.parametrize(
    ("part", "rest", "shown"),
    [(20, 60, (20, 20 / 80)), (5, 60, (None, None)), (60, 5, (None, None)), (0, 60, (0, 0.0)), (60, 0, (60, 1.0))],
)
def test_a_share_of_its_own_whole_reveals_the_rest(part: int, rest: int, shown: tuple[float | None, float | None]) -> None:
    """The part, the whole and what is between them; of a comparison, on each side."""
    use = {"id": "claim_count", "transform": "share_of_group", "where": [[{"dim": "condition", "op": "in", "values": ["diabetes"]}]]}
    months = (
        {"label": "January", "from": "2026-01-01", "to": "2026-02-01"},
        {"label": "February", "from": "2026-02-01", "to": "2026-03-01"},
    )
    others = [Claims(40, payer="bluecross", diagnosis=code, day=day) for code in ("E11.9", "I10") for day in (_JANUARY, _FEBRUARY)]
    made = [Claims(part, diagnosis="E11.9"), Claims(rest, diagnosis="I10"), Claims(50, day=_FEBRUARY, diagnosis="I10")]
    with small(*(one for one in made if one.count), Claims(50, day=_FEBRUARY, diagnosis="E11.9"), *others) as lines:
        january = {"date": "claim_service_date", "from": "2026-01-01", "to": "2026-02-01"}
        rows = {row[0]: row[1:] for row in lines.rows({"metrics": [use], "group_by": [{"dim": "payer"}], "time": january})}
        assert rows["aetna"] == shown
        asked = {"metrics": [use], "group_by": [{"dim": "payer"}], "time": {"date": "claim_service_date"}, "compare": months}
    with small(*(one for one in made if one.count), Claims(50, day=_FEBRUARY, diagnosis="E11.9"), *others) as lines:
        rows = {row[0]: row[1:] for row in lines.rows(asked)}
        assert rows["aetna"][:2] == (shown[1], 0.5)


def test_a_running_total_ends_at_a_masked_cell() -> None:
    """From there on the difference of two totals would be the masked cell; the change to and from it is masked too."""
    months = [Claims(20, day=_JANUARY), Claims(30, day=_FEBRUARY), Claims(5, day=_MARCH), Claims(40, day=date(2026, 4, 15))]
    groups = [{"dim": "claim_service_date", "grain": "month"}]
    asked = {
        "metrics": [{"id": "claim_count", "transform": "running_total"}, {"id": "line_count", "transform": "change"}],
        "group_by": groups,
    }
    with small(*months, Claims(60, day=date(2026, 5, 15)), Claims(70, day=date(2026, 6, 15))) as lines:
        rows = [row[1:] for row in lines.rows(asked)]
    assert rows == [
        (None, None, None, None, None),  # the next smallest with March
        (30, None, 30, None, None),
        (None, None, None, None, None),
        (40, None, 40, None, None),
        (60, None, 60, 20, 20 / 40),
        (70, None, 70, 10, 10 / 60),
    ]


def test_ranks_are_among_what_is_shown() -> None:
    """A masked cell has no rank, and moves nobody's."""
    asked = {**_BY_PAYER, "metrics": [{"id": "claim_count", "transform": "rank"}]}
    with small(Claims(40, members=9), *_payers(0, 30, 20), Claims(15, payer="other")) as lines:
        found = {row[0]: row[1:] for row in lines.rows(asked)}
    assert found == {"bluecross": (30, 1), "unitedhealth": (20, 2), "aetna": (None, None), "other": (None, None)}


def test_the_order_does_not_tell() -> None:
    """Masked rows come last in the order of their keys, whatever is behind them and whichever way the order goes."""
    for down in (True, False):
        asked = {**_BY_PAYER, "order_by": [{"by": "claim_count", "desc": down}]}
        with small(*_payers(3, 9, 5), Claims(30, payer="w"), Claims(40, payer="x")) as lines:
            rows = [row[0] for row in lines.rows(asked)]
        assert rows == ["x" if down else "w", "w" if down else "x", "aetna", "bluecross", "unitedhealth"]


def test_no_threshold_is_passed_or_failed_by_a_masked_cell() -> None:
    """It is left out whichever way the threshold goes, and the answer says how many were."""
    for op in ("gt", "lt", "ge", "le", "ne", "eq"):
        asked = {**_BY_PAYER, "having": [{"metric": "claim_count", "op": op, "value": 4}]}
        with small(*_payers(50, 3, 9)) as lines:
            answer = lines.answer(asked)
        assert [row[0] for row in answer.table.rows] == (["aetna"] if op in ("gt", "ge", "ne") else [])
        assert answer.left_out == 2


def test_an_average_to_beat_is_of_what_is_shown() -> None:
    """Groups above the average: the masked neither count for it nor pass it."""
    asked = {**_BY_PAYER, "having": [{"metric": "claim_count", "op": "gt", "of": "average"}]}
    with small(*_payers(50, 3, 9), Claims(40, payer="w"), Claims(44, payer="x")) as lines:
        assert [row[0] for row in lines.rows(asked)] == ["aetna"]


def test_a_comparison_with_a_masked_side_has_no_change() -> None:
    """Before is shown, after is not, and neither is the difference."""
    windows = [{"label": "a", "from": "2026-01-01", "to": "2026-02-01"}, {"label": "b", "from": "2026-02-01", "to": "2026-03-01"}]
    asked = {"metrics": [{"id": "claim_count"}], "time": {"date": "claim_service_date"}, "compare": windows}
    with small(Claims(30), Claims(6, day=_FEBRUARY)) as lines:
        assert lines.rows(asked) == [(30, None, None, None)]
    with small(Claims(30), Claims(16, day=_FEBRUARY)) as lines:
        assert lines.rows(asked)[0][:3] == (30, 16, -14)


def test_every_masked_cell_says_why() -> None:
    """(row, column, why) for each, and small ones look like those that protect them."""
    with small(*_payers(50, 40, 10)) as lines:
        answer = lines.answer(_BY_PAYER)
    assert answer.cells == ((1, "claim_count", "small_cell"), (2, "claim_count", "small_cell"))
