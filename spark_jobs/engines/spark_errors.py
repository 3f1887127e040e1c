"""Why Spark broke off, in words: its end, a worker's, the storage's, or its own condition. Its messages may quote rows: none is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException

from medflow.errors import CatalogError
from medflow.lakehouse.storage import Storage

FAILURES = (PySparkException, Py4JError, ConnectionError)
_GONE = (Py4JNetworkError, ConnectionError)
_ENDED = "Spark's process has ended, as it does when memory runs out; nothing was published: raise MEDFLOW_MEMORY and run again"
_OF_S3 = ("software.amazon.awssdk", "AWS Error ")  # Iceberg's client in the JVM, Arrow's in Python workers
_INSTALL = "install MedFlow with its packages for the Python of Spark's workers, or name one that has them in PYSPARK_PYTHON"


@contextmanager
def while_it_lives() -> Iterator[None]:
    """Tell the end of Spark's process in words, whatever was asked of it.

    Raises:
        CatalogError: it has ended.
    """
    try:
        yield
    except _GONE as error:
        raise CatalogError(_ENDED) from error


def told(error: Exception, storage: Storage) -> str:
    """What happened and what to do next."""
    text = str(error)
    if isinstance(error, _GONE) or "does not exist in the JVM" in text:
        return _ENDED
    if any(mark in text for mark in _OF_S3):
        return f"{storage.told} does not answer Spark, or denies it; nothing was published. See that it runs, then run again"
    if missing := re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", text):
        return f"Spark's workers have no Python module {missing[1]}; nothing was published: {_INSTALL}"
    if "PYTHON_VERSION_MISMATCH" in text:
        return f"Spark's workers run another version of Python; nothing was published: {_INSTALL}"
    return (
        f"Spark stopped with {_condition(error)}; nothing was published. Its message may hold data and is not shown: "
        "`medflow --debug` shows it. If it ran out of memory or disk, raise MEDFLOW_MEMORY or free some space"
    )


def _condition(error: Exception) -> str:
    if isinstance(error, Py4JJavaError):
        return str(error.java_exception.getClass().getName())
    return (error.getCondition() if isinstance(error, PySparkException) else None) or type(error).__name__
