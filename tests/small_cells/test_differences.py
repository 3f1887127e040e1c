"""Two questions of one user by hand: what the first showed limits what the second may, and another user is not limited."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from rag_backend.small_cells.bounds import Bounds
from rag_backend.small_cells.shown import CELLS, ShownCell, ShownInProcess
from tests.small_cells.lines import Claims, by_group, small

_TOTAL: dict[str, Any] = {"metrics": [{"id": "claim_count"}]}
_BY_PAYER = {**_TOTAL, "group_by": [{"dim": "payer"}]}
_BY_MONTH = {**_TOTAL, "group_by": [{"dim": "claim_service_date", "grain": "month"}]}


def _in(payer: str) -> dict[str, Any]:
    return {**_TOTAL, "where": [[{"dim": "payer", "op": "in", "values": [payer]}]]}


def _window(first: str, last: str, asked: dict[str, Any] = _TOTAL) -> dict[str, Any]:
    return {**asked, "time": {"date": "claim_service_date", "from": first, "to": last}}


def _month(month: int, count: int, payer: str = "aetna") -> Claims:
    return Claims(count, day=date(2026, month, 15), payer=payer)


def test_a_longer_window_does_not_tell_the_days_between() -> None:
    """Five claims in March: January to February is shown, January to March is not any more, and the other way round."""
    to_february, to_march = _window("2026-01-01", "2026-03-01"), _window("2026-01-01", "2026-04-01")
    with small(_month(1, 30), _month(2, 40), _month(3, 5)) as lines:
        assert lines.rows(to_february, "a") == [(70,)]
        answer = lines.answer(to_march, "a")
        assert (answer.table.rows, answer.cells) == ([(None,)], ((0, "claim_count", "difference"),))
        assert lines.rows(to_march, "b") == [(75,)]
        assert lines.rows(to_february, "b") == [(None,)]
        assert lines.rows(to_march, "b") == [(75,)]  # the same again tells nothing


def test_eleven_may_be_told() -> None:
    """A difference of eleven is no small cell."""
    with small(_month(1, 30), _month(2, 40), _month(3, 11)) as lines:
        assert lines.rows(_window("2026-01-01", "2026-03-01")) == [(70,)]
        assert lines.rows(_window("2026-01-01", "2026-04-01")) == [(81,)]


def test_members_count_too() -> None:
    """Twenty claims more, of four members."""
    with small(_month(1, 30), _month(2, 40), Claims(20, members=4, day=date(2026, 3, 15))) as lines:
        assert lines.rows(_window("2026-01-01", "2026-03-01")) == [(70,)]
        assert lines.rows(_window("2026-01-01", "2026-04-01")) == [(None,)]


def test_the_same_numbers_of_others_are_no_difference() -> None:
    """Two cells of close counts that have nothing in common: both are shown."""
    with small(_month(1, 30), _month(2, 33), Claims(31, payer="bluecross", day=date(2026, 1, 20), npi="1000000002")) as lines:
        assert lines.rows(_window("2026-01-01", "2026-02-01", _in("aetna"))) == [(30,)]
        assert lines.rows(_window("2026-02-01", "2026-03-01", _in("aetna"))) == [(33,)]
        assert by_group(lines.rows(_window("2026-01-01", "2026-02-01", _BY_PAYER))) == {"aetna": 30, "bluecross": 31}


def test_a_filter_written_another_way_is_the_same_cell() -> None:
    """A cell that is contained is found on the lines, not in the words: all of a specialty but five claims are one provider's."""
    specialty = {
        **_TOTAL,
        "where": [[{"dim": "specialty", "op": "in", "values": ["Cardiology"]}], [{"dim": "payer", "op": "in", "values": ["aetna"]}]],
    }
    provider = {
        **_TOTAL,
        "where": [[{"dim": "provider", "op": "in", "values": ["1000000001"]}], [{"dim": "payer", "op": "in", "values": ["aetna"]}]],
    }
    made = [
        Claims(40),
        Claims(30, payer="bluecross"),
        Claims(30, npi="1000000003"),
        Claims(5, npi="1000000002"),
        Claims(30, npi="1000000002", payer="bluecross"),
    ]
    with small(*made) as lines:
        lines.connection.execute(
            "INSERT INTO healthcare.providers (npi, name, specialty, state) VALUES ('1000000002', 'Bo Two', 'Cardiology', 'TX')"
        )
        assert lines.rows(specialty, "a") == [(45,)]
        assert lines.rows(provider, "a") == [(None,)]
        assert lines.rows(provider, "b") == [(40,)]


def test_a_total_less_the_shown_cells_of_an_earlier_answer() -> None:
    """Two masked cells of three and four: the total is not shown to who saw all others, and the other way round one more is masked."""
    made = [Claims(n, payer=p) for n, p in ((50, "aetna"), (40, "bluecross"), (3, "unitedhealth"), (4, "other"))]
    with small(*made) as lines:
        assert by_group(lines.rows(_BY_PAYER, "a")) == {"aetna": 50, "bluecross": 40, "unitedhealth": None, "other": None}
        assert lines.rows(_TOTAL, "a") == [(None,)]
        assert lines.rows(_TOTAL, "b") == [(97,)]
        assert by_group(lines.rows(_BY_PAYER, "b")) == {"aetna": 50, "bluecross": None, "unitedhealth": None, "other": None}


def test_a_part_of_a_line_less_the_shown_cells_in_it() -> None:
    """February has six claims and takes September with it; January to March less January and March would be February."""
    months = {1: 30, 2: 6, 3: 40, 9: 12, 10: 50}
    made = [_month(month, count) for month, count in months.items()]
    part = _window("2026-01-01", "2026-04-01")
    with small(*made) as lines:
        assert [row[1] for row in lines.rows(_BY_MONTH, "a")] == [30, None, 40, None, 50]
        assert lines.rows(part, "a") == [(None,)]
        assert lines.rows(part, "b") == [(76,)]
        assert [row[1] for row in lines.rows(_BY_MONTH, "b")] == [None, None, 40, None, 50]


def test_what_shown_cells_add_up_to_is_known() -> None:
    """Five claims in December: eleven months by payer add up to all but these."""
    made = [_month(1, 30), _month(2, 40, "bluecross"), _month(3, 20, "bluecross"), _month(4, 80, "unitedhealth"), _month(12, 5)]
    parts = _window("2026-01-01", "2026-12-01", _BY_PAYER)
    with small(*made) as lines:
        assert lines.rows(_window("2026-01-01", "2027-01-01"), "a") == [(175,)]
        assert by_group(lines.rows(parts, "a")) == {"aetna": None, "bluecross": None, "unitedhealth": 80}
        assert by_group(lines.rows(parts, "b")) == {"aetna": 30, "bluecross": 60, "unitedhealth": 80}
        assert lines.rows(_window("2026-01-01", "2027-01-01"), "b") == [(None,)]


def test_a_share_tells_the_total() -> None:
    """Who knows all but five claims is not told the shares that give away the total of all."""
    shares = {"metrics": [{"id": "claim_count", "transform": "share_of_total"}], "group_by": [{"dim": "payer"}]}
    with small(Claims(30), Claims(40, payer="bluecross"), _month(12, 5, "bluecross")) as lines:
        assert lines.rows(_window("2026-01-01", "2026-12-01"), "a") == [(70,)]
        assert {row[0]: row[2] for row in lines.rows(shares, "a")} == {"aetna": None, "bluecross": None}
        assert {row[0]: row[2] for row in lines.rows(shares, "b")} == {"aetna": 30 / 75, "bluecross": 45 / 75}
        assert lines.rows(_window("2026-01-01", "2026-12-01"), "b") == [(None,)]


def test_only_what_was_seen_counts() -> None:
    """A row that a limit cut off was not shown, so it limits nothing."""
    first = {**_window("2026-01-01", "2026-03-01", _BY_PAYER), "order_by": [{"by": "claim_count", "desc": True}], "limit": {"n": 1}}
    made = [Claims(50), Claims(20, payer="bluecross"), _month(3, 5, "bluecross")]
    with small(*made) as lines:
        assert lines.rows(first) == [("aetna", 50)]
        assert lines.rows(_window("2026-01-01", "2026-04-01", _in("bluecross"))) == [(25,)]


@pytest.mark.parametrize("column", ["claim_count", "billed_amount", "denial_rate"])
def test_sums_and_rates_are_subtracted_too(column: str) -> None:
    """A difference of amounts is the amount of the few, and rates tell their parts."""
    asked = {"metrics": [{"id": column}]}
    made = [_month(1, 30), Claims(20, status="denied", code="97"), _month(3, 5)]
    with small(*made) as lines:
        assert lines.rows(_window("2026-01-01", "2026-03-01", asked))[0][0] is not None
        assert lines.rows(_window("2026-01-01", "2026-04-01", asked)) == [(None,)]


def test_the_last_thousand_cells_are_remembered_of_each_user_and_release() -> None:
    """Cells beyond the last 1,000 are forgotten, and users and releases have nothing in common."""
    kept = ShownInProcess()
    cell = ShownCell((), Bounds(), frozenset())
    with kept.opened("a", 1) as log:
        log.add([cell] * (CELLS + 7), [])
        assert len(log.cells) == CELLS
    for user, release in (("b", 1), ("a", 2)):
        with kept.opened(user, release) as log:
            assert len(log.cells) == 0
