"""Silver: the batch's lines judged by the rules, accepted ones to claims_history, failed ones to claims_quarantined, and the
current versions of the affected claims to claims_clean. Months of service before and after are rewritten whole."""

from __future__ import annotations

import hashlib
import hmac
from concurrent.futures import Future
from datetime import date
from functools import partial

import pyarrow as pa
import pyarrow.csv

from medflow.specs.knowledge_base import DIAGNOSIS_CODES
from medflow.sql.text import in_list
from spark_jobs import rules, versions
from spark_jobs.bronze import payers_only, read_bronze
from spark_jobs.lines import lines_sql, no_lines_sql, relation_columns
from spark_jobs.months import month_partitions
from spark_jobs.quarantine import load_queue, load_waivers, write_quarantine
from spark_jobs.run import CLEAN, HISTORY, PayerFigures, Run

_MEMBER_KEY_BYTES = 16
_MEMBER_KEYS = pa.schema([(name, pa.string()) for name in ("payer_id", "member_id", "member_key")])
_CLAIM_JOIN = "affected.payer_id = rows.payer_id AND affected.claim_id = rows.claim_id"


def build_silver(run: Run) -> None:
    """Judge, split, store and resolve. A waiver only changes the queue; a rebuild begins at the table that it names."""
    if run.judges:
        judge_lines(run)
        write_quarantine(run)
    if run.nothing_to_publish or run.batch.kind == "waive":
        return
    history = start_history(run) if run.judges else None
    if run.judges or run.rebuilds(CLEAN):
        write_clean(run)
    if history is not None:
        land_history(run, history.result())


def parse_lines(run: Run, payer: str) -> None:
    """`lines_<payer>` from `raw_<payer>`."""
    contract = run.knowledge_base.contract
    run.engine.define(f"lines_{payer}", lines_sql(run.knowledge_base.payers[payer], contract))


def judge_lines(run: Run) -> None:
    """`judged` from the payers' lines, and the figures of each payer."""
    contract = run.knowledge_base.contract
    columns = ", ".join(relation_columns(contract))
    payers = payers_only(run)
    if not run.holds_lines:
        read_bronze(run, payers, {file.sha256 for file in run.batch.files})
        for payer in payers:
            parse_lines(run, payer)
    if run.batch.kind == "recovery":
        load_waivers(run)
    elif run.batch.kind != "load":
        load_queue(run)
    union = " UNION ALL ".join(f"SELECT {columns} FROM lines_{payer} WHERE {_taken(run, payer)}" for payer in payers)
    run.engine.define("lines", union or no_lines_sql(contract), keep=False)
    run.engine.rows("icd10cm", diagnosis_codes(run))
    run.engine.define("flagged", rules.flagged_sql(run.knowledge_base))
    if run.batch.kind != "load":
        run.engine.define("waived_versions", rules.waived_versions_sql())
    run.engine.define("noted", rules.noted_sql(with_waivers=run.batch.kind != "load"))
    run.engine.define("judged", rules.judged_sql(), keep=False)
    bad_files = _bad_files(run)
    for row in run.engine.fetch(rules.rule_counts_sql(contract)):
        by_rule = {name.removeprefix("r_"): int(count) for name, count in row.items() if name.startswith("r_")}
        run.figures[row["payer_id"]] = PayerFigures(
            lines=row["line_count"],
            own_errors=int(row["own_errors"]),
            siblings=int(row["siblings"]),
            median_billed=row["median_billed"],
            rules=by_rule,
            first_bad_file=min(bad_files.get(row["payer_id"], ()), default=None),
        )


def start_history(run: Run) -> Future[list[str]]:
    """`new_history`: the accepted lines; their files are written while claims_clean is computed."""
    run.engine.define("accepted", rules.accepted_sql(run.knowledge_base.contract, run.batch.id), keep=False)
    chosen = "SELECT accepted.* FROM accepted"
    if run.batch.kind == "replay":
        chosen += " INNER JOIN replayed ON replayed.row_id = accepted.row_id"
    run.engine.define("new_history", chosen, keep=False)
    return run.engine.start(lambda: run.write(HISTORY, "SELECT * FROM new_history"))


def land_history(run: Run, paths: list[str]) -> None:
    """Appended; in a rebuild they take the place of the payers' partitions."""
    if run.batch.kind == "rebuild":
        run.writer.replace(HISTORY, paths, {(payer,) for payer in payers_only(run)})
    else:
        run.writer.append(HISTORY, paths)
    run.rows[HISTORY] = run.engine.fetch("SELECT COUNT(*) AS n FROM new_history")[0]["n"]


def write_clean(run: Run) -> None:
    """Recompute the affected claims from all their history; rewrite the months that they had or have."""
    if run.rebuilds(CLEAN) and not run.judges:
        run.load("new_history", HISTORY, "main")
    _affected_history(run)
    for name, sql in versions.version_steps(run.knowledge_base.contract).items():
        run.engine.define(name, sql)
    _name_members(run)
    columns = run.spec(CLEAN).column_names
    run.engine.define("current_lines", versions.current_sql(run.knowledge_base.contract, columns), keep=False)
    if run.batch.kind == "rebuild":
        run.touched.all()
        run.writer.replace(CLEAN, run.write(CLEAN, "SELECT * FROM current_lines"), None)
    else:
        _rewrite_months(run, columns)
    run.rows[CLEAN] = run.engine.fetch("SELECT COUNT(*) AS n FROM current_lines")[0]["n"]


def diagnosis_codes(run: Run) -> pa.Table:
    """The ICD-10-CM list: code, leaf."""
    options = pyarrow.csv.ConvertOptions(column_types={"code": pa.string(), "leaf": pa.int32()})
    return pyarrow.csv.read_csv(run.knowledge_base.root / DIAGNOSIS_CODES, convert_options=options)


def _affected_history(run: Run) -> None:
    columns = ", ".join(run.spec(HISTORY).column_names)
    run.engine.define("affected", "SELECT DISTINCT payer_id, claim_id FROM new_history", keep=False)
    before = 0 if run.batch.kind == "rebuild" else run.load("history_before", HISTORY, "main")
    if not before:
        run.engine.define("affected_history", f"SELECT {columns} FROM new_history", keep=False)
        return
    run.engine.define("affected", "SELECT DISTINCT payer_id, claim_id FROM new_history")
    kept = ", ".join(f"rows.{name}" for name in run.spec(HISTORY).column_names)
    run.engine.define(
        "affected_history",
        f"SELECT {kept} FROM history_before AS rows INNER JOIN affected ON {_CLAIM_JOIN} UNION ALL SELECT {columns} FROM new_history",
    )


def _rewrite_months(run: Run, columns: tuple[str, ...]) -> None:
    before = run.load("clean_before", CLEAN, "main")
    dates = "rows.claim_service_date, rows.received_date"
    run.engine.define("moved_from", f"SELECT {dates} FROM clean_before AS rows INNER JOIN affected ON {_CLAIM_JOIN}")
    sides = ["claims", *(["moved_from"] if before else [])]
    run.touched.service_months = _months(run, "claim_service_date", sides)
    run.touched.received_months = _months(run, "received_date", sides)
    source = f"SELECT {', '.join(columns)} FROM current_lines"
    partitions = month_partitions(run.touched.service_months)
    if before and run.load("clean_months", CLEAN, "main", partitions):
        kept = ", ".join(f"rows.{name}" for name in columns)
        source = f"SELECT {kept} FROM clean_months AS rows LEFT ANTI JOIN affected ON {_CLAIM_JOIN} UNION ALL {source}"
    run.writer.replace(CLEAN, run.write(CLEAN, source), partitions)


def _months(run: Run, column: str, relations: list[str]) -> set[date]:
    union = " UNION ALL ".join(f"SELECT {column} FROM {relation}" for relation in relations)
    rows = run.engine.fetch(f"SELECT DISTINCT CAST(DATE_TRUNC('MONTH', {column}) AS DATE) AS month FROM ({union}) AS dates")
    return {row["month"] for row in rows}


def _name_members(run: Run) -> None:
    """`member_keys`: pseudonyms of the affected members; the key is handed to Python code alone, never to SQL or settings."""
    members = "SELECT DISTINCT payer_id, member_id FROM affected_history"
    run.engine.derive("member_keys", members, partial(with_member_keys, run.settings.secret_pseudonym_key), _MEMBER_KEYS)


def with_member_keys(key: bytes, members: pa.RecordBatch) -> pa.RecordBatch:
    """payer_id, member_id and member_key: 128 bits of HMAC-SHA-256(key, payer_id, 0x1F, member_id), in hex."""
    pairs = zip(members.column("payer_id").to_pylist(), members.column("member_id").to_pylist(), strict=True)
    keys = [hmac.digest(key, f"{payer}\x1f{member}".encode(), hashlib.sha256)[:_MEMBER_KEY_BYTES].hex() for payer, member in pairs]
    columns = [members.column("payer_id"), members.column("member_id"), pa.array(keys, pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=_MEMBER_KEYS)


def _bad_files(run: Run) -> dict[str, set[str]]:
    """Payer -> names of its files with an error of their own."""
    names = {(file.payer, file.sha256): file.name for file in run.batch.files}
    found: dict[str, set[str]] = {}
    for row in run.engine.fetch("SELECT DISTINCT payer_id, file_id FROM flagged WHERE own_error"):
        found.setdefault(row["payer_id"], set()).add(names[row["payer_id"], row["file_id"]])
    return found


def _taken(run: Run, payer: str) -> str:
    """Leave out the rows of this payer's rejected files."""
    rejected = [sha256 for of, sha256 in run.batch.rejected if of == payer]
    return f"NOT ({in_list('file_id', rejected)})"
