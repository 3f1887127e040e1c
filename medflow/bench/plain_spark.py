"""Way (d): the same outputs by PySpark as a good engineer writes it without MedFlow: `python -m medflow.bench.plain_spark --help`.

DataFrames and native functions only, plain Parquet, no catalog, ledger or checks of its own. Neither tuned for this sample
nor held back: adaptive execution, one shuffle partition a core, broadcast joins, lines cached, gold's SELECTs as declared.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - Spark's own usage

from medflow.bench import rules
from medflow.bench.plain_files import GOLD, PAYERS, PayerFile, file_of
from medflow.bench.plain_spark_judged import judged
from medflow.bench.plain_spark_layouts import lines_of
from medflow.bench.plain_spark_versions import resolved, with_mismatches
from medflow.specs.gold import split_file
from medflow.sql.compile import compile_sql

_ROWS_BEFORE = (1 << 33) - 1  # the part of monotonically_increasing_id that counts within a partition
_KEY_BYTES = 16


def main() -> None:
    """Build all tables of a landing folder; prints seconds as JSON."""
    parser = argparse.ArgumentParser(description="Claim files to plain Parquet tables, by plain PySpark.")
    parser.add_argument("landing", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--date", required=True, help="the day that the files were first seen")
    parser.add_argument("--knowledge-base", type=Path, required=True, help="where code lists and gold's SELECTs lie")
    parser.add_argument("--key-file", type=Path, required=True, help="the key of member pseudonyms")
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--memory", default="3g", help="of the JVM, as Java writes it")
    parser.add_argument("--warm-up", type=Path, help="a small landing folder to build first, in the same session")
    given = parser.parse_args()
    gold = {table: _select(given.knowledge_base / "gold" / f"{table}.sql") for table in GOLD}
    begun = time.perf_counter()
    spark = _session(given.cores, given.memory)
    if given.warm_up:
        _Build(spark, given.warm_up, given.out / "warm-up", given, gold).all_tables()
        begun = time.perf_counter()
    _Build(spark, given.landing, given.out, given, gold).all_tables()
    print(json.dumps({"pipeline_seconds": round(time.perf_counter() - begun, 3)}))
    spark.stop()


def _select(path: Path) -> str:
    """A gold table's SELECT; Spark has no QUALIFY, which is written out."""
    parts = split_file(path.read_text(encoding="utf-8"))
    assert parts is not None
    return compile_sql(parts[1], "spark")


def _session(cores: int, memory: str) -> SparkSession:
    return (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.driver.memory", memory)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", cores)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        # A record of the wrong width is found only where every cell is read.
        .config("spark.sql.csv.parser.columnPruning.enabled", "false")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


@dataclass(frozen=True)
class _Build:
    """One landing folder on its way to tables."""

    spark: SparkSession
    landing: Path
    out: Path
    given: argparse.Namespace
    gold: Mapping[str, str]

    def all_tables(self) -> None:
        """Bronze, silver, gold."""
        files = {name: file_of(self.landing, name) for name in (*PAYERS, "reference")}
        for file in files.values():
            self._keep(file)
        lines = resolved(self._lines({name: files[name] for name in PAYERS})).persist()
        self._quarantine(lines)
        history = lines.where("verdict = 'accepted'")
        self._written(history.selectExpr("payer_id", *rules.COLUMNS, "quality_warnings", "row_id", "file_id"), "claims_history")
        self._clean(with_mismatches(history))
        lines.unpersist()
        self._gold()

    def _written(self, rows: DataFrame, table: str) -> None:
        rows.write.parquet(str(self.out / table))

    def _keep(self, file: PayerFile) -> None:
        records = self._records(file)
        kept = records.selectExpr(
            f"'{file.payer}' AS payer_id",
            f"'{file.file_id}' AS file_id",
            f"'{file.path.name}' AS file_name",
            "record_number",
            f"SHA2(CONCAT('{file.file_id}:', record_number, ':0'), 256) AS row_id",
            *(f"`{name}`" for name in file.names),
            "raw_line",
            "CASE WHEN raw_line IS NOT NULL THEN 'wrong number of fields' END AS parse_error",
            f"DATE'{self.given.date}' AS ingested_at",
        )
        self._written(kept, f"claims_raw/{file.payer}")

    def _records(self, file: PayerFile) -> DataFrame:
        """The file's records as text, numbered in the file's order over all splits; the header is 1."""
        read = self.spark.read.csv(
            str(file.path),
            schema=", ".join([*(f"`{name}` STRING" for name in file.names), "raw_line STRING"]),
            sep=file.delimiter,
            quote="" if file.payer == "unitedhealth" else '"',
            escape='"',
            header=True,
            multiLine=file.payer == "aetna",
            columnNameOfCorruptRecord="raw_line",
        )
        placed = read.withColumns({"part": F.spark_partition_id(), "place": F.monotonically_increasing_id()})
        sizes = (
            placed.groupBy("part")
            .agg(F.count("*").alias("n"), F.min("_metadata.file_block_start").alias("start"))
            .orderBy("start")
            .collect()
        )
        before, offsets = 2, {}
        for size in sizes:
            offsets[size["part"]] = before
            before += size["n"]
        first = F.create_map(*(F.lit(value) for pair in offsets.items() for value in pair))
        numbered = placed.withColumn("record_number", F.col("place").bitwiseAND(_ROWS_BEFORE) + first[F.col("part")])
        return numbered.where("NOT clm_no <=> 'TRL'") if file.payer == "unitedhealth" else numbered

    def _lines(self, files: Mapping[str, PayerFile]) -> DataFrame:
        codes = self.given.knowledge_base / "codes"
        icd10cm = self.spark.read.csv(str(codes / "icd10cm.csv.gz"), schema="code STRING, leaf INT", header=True).distinct()
        places = [row["code"] for row in yaml.safe_load((codes / "place_of_service.yaml").read_text())["rows"]]
        all_lines = None
        for payer in files:
            lines = lines_of(
                payer, self.spark.read.parquet(str(self.out / "claims_raw" / payer)).withColumn("damaged", F.col("parse_error").isNotNull())
            )
            all_lines = lines if all_lines is None else all_lines.unionByName(lines)
        assert all_lines is not None
        return judged(all_lines, icd10cm, places, self.given.date)

    def _quarantine(self, lines: DataFrame) -> None:
        none = "CAST(ARRAY() AS ARRAY<STRUCT<rule_id: STRING, column: STRING, message: STRING>>)"
        checks = (rules.HEADER_DIFFERS, rules.VERSION_DIFFERS)
        found = [f"CASE WHEN {check.condition} THEN ARRAY({rules.error_sql(check)}) ELSE {none} END" for check in checks]
        told = f"CONCAT(COALESCE(errors, {none}), {', '.join(found)})"
        failed = lines.where("verdict <> 'accepted'").selectExpr(
            *("row_id", "payer_id", "file_id", "record_number", "raw_line"),
            f"CASE WHEN verdict = 'own' THEN {told} ELSE ARRAY({rules.error_sql(rules.SIBLING)}) END AS errors",
            "'open' AS status",
            f"TIMESTAMP'{self.given.date}' AS quarantined_at",
        )
        self._written(failed, "claims_quarantined")

    def _clean(self, history: DataFrame) -> None:
        age = "YEAR(claim_service_date) - birth_year"
        bands = " ".join(f"WHEN {age} < {below} THEN '{label}'" for below, label in rules.AGE_BANDS)
        none = "CAST(ARRAY() AS ARRAY<STRING>)"
        warned = [f"CASE WHEN {name} THEN ARRAY('{name}') ELSE {none} END" for name in ("original_unknown", "reversal_mismatch")]
        kept = [name for name in rules.COLUMNS if name not in ("version_key", "version_kind", *rules.MONEY)]
        current = (
            history.where("is_current")
            .join(F.broadcast(self._member_keys(history)), ["payer_id", "member_id"])
            .selectExpr(
                *("payer_id", *kept, "claim_version", "member_key", "claim_service_date", "row_id", "file_id"),
                f"CASE WHEN birth_year IS NULL THEN NULL {bands} ELSE '85+' END AS age_band",
                *(f"CASE WHEN claim_status = 'reversed' THEN CAST(0 AS DECIMAL(12, 2)) ELSE {name} END AS {name}" for name in rules.MONEY),
                f"CONCAT(quality_warnings, {', '.join(warned)}) AS quality_warnings",
            )
        )
        self._written(current, "claims_clean")

    def _member_keys(self, history: DataFrame) -> DataFrame:
        key = self.given.key_file.read_bytes().strip()
        members = history.select("payer_id", "member_id").distinct().toArrow()
        pairs = zip(members["payer_id"].to_pylist(), members["member_id"].to_pylist(), strict=True)
        keys = [hmac.digest(key, f"{payer}\x1f{member}".encode(), hashlib.sha256)[:_KEY_BYTES].hex() for payer, member in pairs]
        return self.spark.createDataFrame(members.append_column("member_key", pa.array(keys, pa.string())))

    def _gold(self) -> None:
        self.spark.read.parquet(str(self.out / "claims_clean")).persist().createOrReplaceTempView("claims_clean")
        conditions = yaml.safe_load((self.given.knowledge_base / "codes" / "conditions.yaml").read_text())["rows"]
        self.spark.createDataFrame(conditions).createOrReplaceTempView("conditions")
        for table in GOLD:
            self._written(self.spark.sql(self.gold[table]), table)
        self.spark.catalog.uncacheTable("claims_clean")


if __name__ == "__main__":
    main()
