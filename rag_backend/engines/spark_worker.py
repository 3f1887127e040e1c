"""The process that runs Spark on one private copy: it has no key, no catalog and no environment, and runs one SELECT over its tables.

Beneath the validator stand here: Spark's own parser, whose tree must hold nothing but the nodes of a SELECT over tables of two names;
no tables by path, no variables, no scripts; the functions that call Java's methods are taken out before the first session.
"""

from __future__ import annotations

import os
import queue
import re
import sys
import threading
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import SparkSession, types

from rag_backend.engines.cells import Shape, outward
from rag_backend.engines.frames import packed, read_message

_RESULT = "64m"
_LEAST_MEMORY = 512 << 20  # Spark does not start with less
_TAKEN_OUT = ("reflect", "java_method", "try_reflect", "input_file_name", "input_file_block_start", "input_file_block_length")
# The words that begin the lines of a SELECT's tree as Spark's parser makes it.
_NODES = frozenset(
    {"Project", "Filter", "Aggregate", "Sort", "GlobalLimit", "LocalLimit", "Distinct", "Join", "SubqueryAlias", "Union", "Except"}
    | {"Intersect", "UnresolvedWith", "CTE", "WithWindowDefinition", "UnresolvedHaving", "OneRowRelation", "UnresolvedRelation", "Window"}
    | {"UnresolvedSubqueryColumnAliases", "Offset", "Deduplicate", "UnresolvedOrdinal", "AsOfJoin"}
)
_RELATION = re.compile(r"UnresolvedRelation \[[^\],.]+(, [^\],.]+)?\], \[\], false$")
# The beginning of Spark's own name of an error -> what it is. Its text never leaves: it quotes cells.
_CONDITIONS = {
    "TABLE_OR_VIEW_NOT_FOUND": "unknown_name",
    "SCHEMA_NOT_FOUND": "unknown_name",
    "UNRESOLVED_ROUTINE": "unknown_name",
    "CAST_INVALID_INPUT": "conversion",
    "CAST_OVERFLOW": "conversion",
    "CANNOT_PARSE": "conversion",
    "INVALID_DATETIME": "conversion",
    "NUMERIC_VALUE_OUT_OF_RANGE": "out_of_range",
    "NUMERIC_OUT_OF": "out_of_range",
    "ARITHMETIC_OVERFLOW": "out_of_range",
    "BINARY_ARITHMETIC_OVERFLOW": "out_of_range",
    "DIVIDE_BY_ZERO": "out_of_range",
    "UNSUPPORTED": "unsupported",
    "PARSE": "syntax",
}
_TEXTS = (("maxResultSize", "result_size"), ("OutOfMemory", "memory"), ("Java heap space", "memory"))


class Refused(Exception):
    """A query that ends without a table; the reason is one of a closed list of words."""


class Session:
    """One Spark, one query at a time, and a second thread that notices when the asker is gone. Who cancels ends this process."""

    def __init__(self, spark: SparkSession, out: int) -> None:
        self._spark, self._out = spark, out
        self._asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def listen(self) -> None:
        """Take messages until the asker is gone; then end at once, whatever runs: the JVM ends with this process."""
        while message := read_message(sys.stdin.buffer):
            self._asked.put(message)
        os._exit(0)

    def serve(self) -> None:
        """Answer queries one after the other."""
        while True:
            reply = self._answer(self._asked.get())
            _send(self._out, reply)
            if reply.get("failed") == "memory":  # the JVM has ended, or cannot be trusted any longer
                os._exit(1)

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            check_select(self._spark, asked["sql"])
            frame = self._spark.sql(asked["sql"])
            columns = [(field.name, field.dataType.simpleString(), shape_of(field.dataType)) for field in frame.schema.fields]
            return _result(columns, frame.take(asked["rows"] + 1), asked["rows"])
        except Refused as refusal:
            return {"failed": str(refusal)}
        except Exception as error:  # Py4J, Java, socket errors of every kind
            return {"failed": reason_of(error)}


def check_select(spark: SparkSession, sql: str) -> None:
    """See by Spark's own parser that the SQL is a SELECT over tables of its own and nothing else; nothing of it runs.

    Raises:
        Refused: `not_allowed`, or `syntax`.
    """
    parser = spark._jsparkSession.sessionState().sqlParser()
    try:
        tree = parser.parsePlan(sql).treeString()
    except Exception:
        raise Refused("syntax") from None
    for line in tree.splitlines():
        node = re.sub(r"^[\s:+\-']*", "", line)
        word = re.match(r"[A-Za-z]+", node)
        if word is None or word[0] not in _NODES or (word[0] == "UnresolvedRelation" and not _RELATION.match(node)):
            raise Refused("not_allowed")


def reason_of(error: Exception) -> str:
    """The word for an error of Spark's."""
    text = str(error)
    for told, word in _TEXTS:
        if told in text:
            return word
    condition = error.getCondition() or "" if isinstance(error, PySparkException) else ""
    found = next((word for beginning, word in _CONDITIONS.items() if condition.startswith(beginning)), "")
    if found:
        return found
    if isinstance(error, ParseException):
        return "syntax"
    if isinstance(error, AnalysisException):
        return "types"
    return "engine" if isinstance(error, PySparkException) or "Py4JJavaError" in type(error).__name__ else "memory"


def shape_of(kind: types.DataType) -> Shape:
    """How cells of a type travel."""
    if isinstance(kind, types.ArrayType):
        return ["list", shape_of(kind.elementType)]
    if isinstance(kind, types.MapType):
        return ["map", shape_of(kind.valueType)]
    if isinstance(kind, types.StructType):
        return ["struct", {field.name: shape_of(field.dataType) for field in kind.fields}]
    named = {"decimal": "decimal", "date": "date", "timestamp": "instant", "timestamp_ntz": "timestamp"}
    plain = {"boolean", "byte", "short", "integer", "long", "float", "double", "string", "void"}
    return named.get(kind.typeName(), "plain" if kind.typeName() in plain else "text")


def _result(columns: list[tuple[str, str, Shape]], rows: list[Any], limit: int) -> dict[str, Any]:
    convert = [outward(shape) for _, _, shape in columns]
    told = [[change(cell) if change else cell for change, cell in zip(convert, row, strict=True)] for row in rows[:limit]]
    return {"columns": columns, "rows": told, "truncated": len(rows) > limit}


def open_spark(order: dict[str, Any]) -> SparkSession:
    """A Spark whose only tables are those of the folder."""
    memory = f"{max(order['memory'], _LEAST_MEMORY) >> 20}m"
    told = {
        "spark.master": order["master"] or f"local[{order['threads']}]",
        "spark.app.name": "medflow-questions",
        "spark.driver.memory": memory,
        "spark.executor.memory": memory,
        "spark.driver.maxResultSize": _RESULT,
        "spark.driver.extraJavaOptions": "-XX:+ExitOnOutOfMemoryError -Duser.timezone=UTC",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.log.level": "OFF",
        "spark.local.dir": order["scratch"],
        "spark.sql.warehouse.dir": order["scratch"],
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.shuffle.partitions": str(2 * order["threads"]),
        "spark.sql.runSQLOnFiles": "false",
        "spark.sql.variable.substitute": "false",
        "spark.sql.scripting.enabled": "false",
        "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    }
    settings = SparkConf(loadDefaults=False)
    for name, value in told.items():
        settings.set(name, value)
    context = SparkContext(conf=settings)
    _take_out(context)
    spark = SparkSession(context)
    for folder in sorted(Path(order["file"]).iterdir()):
        if folder.is_dir():
            schema, name = folder.name.split(".")
            spark.sql(f"CREATE DATABASE IF NOT EXISTS `{schema}`")
            spark.catalog.createTable(f"`{schema}`.`{name}`", path=str(folder), source="parquet")
    return spark


def _take_out(context: SparkContext) -> None:
    """Remove functions before a session copies them: what is left in one session would come back in another."""
    catalyst = context._jvm.org.apache.spark.sql.catalyst  # type: ignore[union-attr]
    registry = catalyst.analysis.FunctionRegistry.builtin()
    for name in _TAKEN_OUT:
        registry.dropFunction(catalyst.FunctionIdentifier(name))


def _send(out: int, message: dict[str, Any]) -> None:
    data = packed(message)
    while data:
        data = data[os.write(out, data) :]


def main() -> None:
    """Open what the first message names, say so, and serve."""
    order = read_message(sys.stdin.buffer)
    if order is None:
        return
    out = os.dup(1)  # replies alone: what the JVM writes to its standard output is nobody's
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
    try:
        spark = open_spark(order)
    except Exception as error:
        _send(out, {"failed": type(error).__name__})
        return
    session = Session(spark, out)
    threading.Thread(target=session.listen, daemon=True).start()
    _send(out, {"ready": os.getpid()})
    session.serve()


if __name__ == "__main__":
    main()
