"""What may be asked for."""

from datetime import date

import pytest

from medflow.errors import UsageError
from medflow.generate import SampleRequest, generate


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"claims": -1}, "claims"),
        ({"claims": 10**9 + 1}, "claims"),
        ({"seed": -1}, "seed"),
        ({"days": 0}, "days"),
        ({"defects": 0.51}, "defects"),
        ({"defects": -0.1}, "defects"),
        ({"damage": "coffee"}, "stray_quote"),
        ({"as_of": date(1800, 1, 1)}, "as-of"),
    ],
)
def test_refuses_what_cannot_be(tmp_path, change, told):
    """A wrong argument is named, with what is allowed, before anything is written."""
    with pytest.raises(UsageError, match=told):
        SampleRequest(**{"claims": 10, "seed": 1, "out": tmp_path / "new", **change})
    assert not (tmp_path / "new").exists()


def test_reports_all_problems_together(tmp_path):
    """Two wrong arguments give one message that names both."""
    with pytest.raises(UsageError, match=r"claims.*days"):
        SampleRequest(claims=-1, seed=1, out=tmp_path / "new", days=0)


def test_never_writes_into_a_used_folder(tmp_path):
    """A folder with something in it, or a file, is refused; an empty folder will do."""
    (tmp_path / "file").write_text("")
    for out in (tmp_path, tmp_path / "file"):
        with pytest.raises(UsageError, match="new or empty"):
            SampleRequest(claims=1, seed=1, out=out)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert generate(SampleRequest(claims=1, seed=1, out=empty))["claims"] == 1


def test_no_claims_gives_headers_only(tmp_path):
    """Zero claims: three files with a header, a trailer that counts nothing, and a truth full of zeros."""
    truth = generate(SampleRequest(claims=0, seed=1, out=tmp_path / "s"))
    assert (tmp_path / "s/unitedhealth/unitedhealth_claims_2026-06-30.txt").read_text().splitlines()[1:] == ["TRL|0|0"]
    assert len((tmp_path / "s/bluecross/bluecross_claims_2026-06-30.csv").read_text().splitlines()) == 1
    assert set(truth["lines_read"].values()) == {0}
    assert truth["gold"]["claims_monthly_summary"] == []
