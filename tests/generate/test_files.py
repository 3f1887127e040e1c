"""The files as a payer would write them, read back by the test's own reader."""

import csv
import re
from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from medflow.generate import SampleRequest, generate
from medflow.generate.diagnoses import CODES, SPECIALTIES
from medflow.generate.layouts import LAYOUTS
from medflow.generate.world import check_digit, make_providers
from tests.generate.reader import MONEY, cents, day, lines, payer_files, rows

AS_OF = date(2026, 6, 30)


def luhn_holds(npi: str) -> bool:
    """The textbook form: double every second digit from the right, prefix 80840 included."""
    digits = [int(digit) for digit in "80840" + npi][::-1]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return len(npi) == 10 and (sum(digits[::2]) + doubled) % 10 == 0


def by_version(found):
    groups = defaultdict(list)
    for line in found:
        groups[line.payer, line.claim, line.version].append(line)
    return groups


def test_bytes_are_each_payers_own(clean_sample):
    """BlueCross LF and no quotes; Aetna BOM, CRLF and every field quoted; UnitedHealth pipes and a trailer."""
    folder, _, _ = clean_sample
    blue, aetna, united = (next((folder / payer).iterdir()).read_bytes() for payer in ("bluecross", "aetna", "unitedhealth"))
    assert b"\r" not in blue and b'"' not in blue and blue.endswith(b"\n")
    assert aetna.startswith(b'\xef\xbb\xbf"Claim Number","') and aetna.endswith(b'"\r\n')
    assert b'""' in aetna and b"note\nsecond line, with" in aetna
    assert b"\r" not in united and b'"' not in united and re.fullmatch(rb"TRL\|\d+\|\d+-?", united.splitlines()[-1])


def test_every_aetna_field_is_quoted(clean_sample):
    """Taking the quoted fields and separators away leaves nothing of an Aetna file."""
    folder, _, _ = clean_sample
    text = next((folder / "aetna").iterdir()).read_text(encoding="utf-8-sig")
    assert re.sub(r'"(?:[^"]|"")*"', "", text).replace(",", "").split() == []


def test_trailer_counts_right(clean_sample, spoiled_sample):
    """The trailer has the number of records and the signed sum of the charges that can be read."""
    for folder in (clean_sample[0], spoiled_sample[0]):
        records, trailer = rows(folder, "unitedhealth", "unitedhealth/unitedhealth_claims_2026-06-30.txt")
        charges = [cents("unitedhealth", row["billed_amt"]) for _, row in records if isinstance(row, dict)]
        total = sum(charge for charge in charges if isinstance(charge, int))
        assert trailer[:2] == ["TRL", str(len(records))]
        assert cents("unitedhealth", trailer[2]) == total


def test_exactly_as_many_claims_as_asked(clean_sample, spoiled_sample):
    """N distinct claims over three payers, and ids repeat across payers."""
    found = clean_sample[2]
    claims = {(line.payer, line.claim) for line in found}
    assert len(claims) == 3000
    assert {payer: sum(claim[0] == payer for claim in claims) for payer in ("bluecross", "aetna", "unitedhealth")} == {
        "bluecross": 1350,
        "aetna": 900,
        "unitedhealth": 750,
    }
    assert len({claim for _, claim in claims}) < 3000
    folder, _ = spoiled_sample
    spoiled = {(payer, claim_of(payer, row)) for payer, name in payer_files(folder) for _, row in rows(folder, payer, name)[0]}
    assert len(spoiled) == 4000


def claim_of(payer, row):
    fields = list(row.values()) if isinstance(row, dict) else row
    return fields[3] if payer == "unitedhealth" else fields[0].partition("-A")[0]


def test_dates_are_in_order_and_past(clean_sample):
    """service_from <= service_to <= received <= adjudicated <= paid <= as-of day, on every line."""
    for line in clean_sample[2]:
        dates = [line.service_from, line.service_to, line.received, line.adjudicated, line.paid, AS_OF]
        told = [one for one in dates if one]
        assert told == sorted(told)


def test_money_adds_up_to_the_cent(clean_sample):
    """Decided: allowed is shared out in full, in order of size. Denied: nothing. Pending and rejected: blank."""
    for line in clean_sample[2]:
        money = line.cents
        payer_amounts = [money[name] for name in MONEY[1:]]
        if line.status in ("pending", "rejected"):
            assert payer_amounts == [None] * 6 and line.adjudicated is None and line.paid is None
            continue
        sign = -1 if line.status == "reversed" else 1
        assert sign * money["billed"] > 0
        assert 0 <= sign * money["paid"] <= sign * money["allowed"] <= sign * money["billed"]
        assert money["allowed"] == sum(payer_amounts[1:])
        if line.status == "denied":
            assert not any(payer_amounts)


def test_header_facts_are_equal_on_all_lines(clean_sample):
    """Status, denial, providers, member, diagnoses and dates are the same on all lines of a version; lines count from 1."""
    for version in by_version(clean_sample[2]).values():
        assert len({line.header for line in version}) == 1
        assert {line.number for line in version} == set(range(1, len({line.number for line in version}) + 1))
        assert (version[0].denial is not None) == (version[0].status == "denied")


def test_later_versions_are_received_later(clean_sample):
    """Replacements and reversals come after what they replace, and most reversals mirror it."""
    versions = by_version(clean_sample[2])
    chains = defaultdict(list)
    for (payer, claim, key), found in sorted(versions.items()):
        chains[payer, claim].append((key, found))
    several = [chain for chain in chains.values() if len(chain) > 1]
    assert 0.06 < len(several) / len(chains) < 0.10
    mirrored = Counter()
    for chain in several:
        assert all(one[1][0].received < other[1][0].received for one, other in pairwise(chain))
        for (_, before), (_, after) in pairwise(chain):
            if after[0].kind == "reversal":
                negatives = {line.number: {name: -value for name, value in line.cents.items()} for line in before}
                mirrored[negatives == {line.number: line.cents for line in after}] += 1
    kinds = {tuple(found[0].status for _, found in chain) for chain in several}
    assert {("paid", "paid"), ("paid", "reversed"), ("paid", "reversed", "paid"), ("denied", "paid")} <= kinds
    assert mirrored[True] > 5 * mirrored[False] > 0


def test_npis_hold_and_are_in_the_provider_list(clean_sample):
    """Every NPI has ten digits and a right check digit; rendering providers are all listed, once."""
    folder, truth, found = clean_sample
    with (folder / "reference/providers.csv").open() as stream:
        providers = list(csv.DictReader(stream))
    listed = {row["npi"] for row in providers}
    assert len(listed) == len(providers) == truth["providers"] >= 30
    assert {row["specialty"] for row in providers} == set(SPECIALTIES)
    assert {line.rendering for line in found} <= listed
    assert all(luhn_holds(npi) for npi in listed | {line.billing for line in found if line.billing})


def test_the_sample_is_varied(clean_sample):
    """All statuses, conditions and payers' ways appear; payers differ in how much they deny; recent claims are still open."""
    _, truth, found = clean_sample
    assert {line.status for line in found} == {"paid", "denied", "pending", "rejected", "reversed"}
    assert not [line for line in found if line.payer == "unitedhealth" and line.status == "rejected"]
    assert len({row["condition"] for row in truth["gold"]["condition_costs"]}) == 17
    assert {line.diagnoses[0] for line in found} <= set(CODES)
    rates = [_denial_rate(truth, payer) for payer in ("bluecross", "aetna", "unitedhealth")]
    assert rates == sorted(rates) and 0.07 < rates[0] < 0.15 and 0.18 < rates[2] < 0.28
    assert any(line.status == "paid" and line.cents["paid"] == 0 for line in found)
    assert any(line.status == "paid" and line.paid is None for line in found)
    pending = [line.received for line in found if line.status == "pending"]
    assert sum((AS_OF - received).days < 90 for received in pending) > len(pending) / 2


def _denial_rate(truth, payer):
    rows_ = [row for row in truth["gold"]["claims_monthly_summary"] if row["payer_id"] == payer]
    return sum(row["denied_claim_count"] for row in rows_) / sum(row["adjudicated_claim_count"] for row in rows_)


def test_days_deliver_versions_when_they_happened(tmp_path):
    """With days, a version lies in the folder of the latest date it carries; all older ones in the first."""
    truth = generate(SampleRequest(claims=800, seed=3, out=tmp_path / "s", days=20))
    found = lines(tmp_path / "s")
    first = date(2026, 6, 11)
    for line in found:
        latest = max(one for one in (line.received, line.adjudicated, line.paid) if one)
        assert line.file.split("/")[0] == max(latest, first).isoformat()
    assert len({(line.payer, line.claim) for line in found}) == 800
    assert set(truth["files"]) == {name for _, name in payer_files(tmp_path / "s")}
    assert len({line.file.split("/")[0] for line in found}) > 15


@given(st.lists(st.integers(100_000_000, 299_999_999), min_size=1, max_size=5))
def test_check_digit_makes_a_valid_npi(bodies):
    """Any nine digits with the computed digit pass the textbook Luhn test, and with any other digit they do not."""
    import numpy as np

    for body, digit in zip(bodies, check_digit(np.array(bodies)).tolist(), strict=True):
        assert [luhn_holds(f"{body}{last}") for last in range(10)] == [last == digit for last in range(10)]


@given(st.integers(-(10**11), 10**11))
def test_money_reads_back(amount):
    """Each payer's spelling of any amount reads back as the same cents."""
    for layout in _layouts():
        assert cents(layout.payer, layout.money(amount)) == amount


@given(st.dates(date(1990, 1, 1), date(2099, 12, 31)))
def test_days_read_back(when):
    """Each payer's spelling of any day reads back as the same day."""
    for layout in _layouts():
        assert day(layout.payer, layout.day_text(when)) == when


def _layouts():
    providers = make_providers(0, 1)
    return [layout(providers, 739_000, 739_001) for layout in LAYOUTS]
