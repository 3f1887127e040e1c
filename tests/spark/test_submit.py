"""What spark-submit and a cluster are given, and how Spark's ends are told; no session is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.errors import PySparkException

from medflow.errors import UsageError
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings, load_settings
from spark_jobs.engines.spark_cluster import packed_code
from spark_jobs.engines.spark_errors import told
from spark_jobs.submit import submit_arguments

SECRET = "a key for tests only"


def settings(home: Path, **given: str) -> Settings:
    return load_settings(home=home, s3_access_key="medflow", s3_secret_key=SECRET, pseudonym_key=SECRET, **given)


def test_a_cluster_gets_memory_jars_and_the_way_back_to_the_driver(tmp_path: Path) -> None:
    """And no secret: neither key stands on the command line."""
    made = submit_arguments(settings(tmp_path, build_engine="spark://127.0.0.1:7077", warehouse="s3://lake/w", memory="2GB"))
    assert made.master == "spark://127.0.0.1:7077"
    assert made.conf["spark.executor.memory"] == made.conf["spark.driver.memory"] == "2g"
    assert made.conf["spark.driver.host"] == "127.0.0.1"
    assert "spark.cores.max" not in made.conf
    assert ["aws" in jar for jar in made.jars] == [False, True]
    command = made.command("bronze", "--json")
    assert command[0] == "spark-submit"
    assert command[-3:] == [made.application, "bronze", "--json"]
    assert SECRET not in str(command)


def test_this_machine_needs_no_jar_of_s3_and_no_cluster(tmp_path: Path) -> None:
    """Workers run the driver's Python; who listens, listens on loopback."""
    made = submit_arguments(settings(tmp_path, build_engine="local[2]"))
    assert ["aws" in jar for jar in made.jars] == [False]
    assert made.conf["spark.pyspark.python"] == sys.executable
    assert made.conf["spark.driver.bindAddress"] == "127.0.0.1"
    assert "spark.executor.memory" not in made.conf


def test_a_master_that_nobody_can_find_leaves_the_address_to_spark(tmp_path: Path) -> None:
    """Spark itself then says that the master does not answer."""
    made = submit_arguments(settings(tmp_path, build_engine="spark://no-such-host.invalid:7077"))
    assert "spark.driver.host" not in made.conf


def test_a_memory_that_is_no_size_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="MEDFLOW_MEMORY is much"):
        submit_arguments(settings(tmp_path, memory="much"))


def test_executors_can_frame_with_the_code_that_the_driver_sends(tmp_path: Path) -> None:
    """From the archive alone, in a process that has the packages and no checkout."""
    archive = packed_code(tmp_path)
    told = "import spark_jobs.engines.spark_workers as found; print(found.__file__)"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(1, {str(archive)!r}); {told}"],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(archive))


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("software.amazon.awssdk.core.exception.SdkClientException: connect to 10.0.0.1", "S3 at http://here:1 does not answer"),
        ("PythonException: OSError: AWS Error NETWORK_CONNECTION during PutObject", "S3 at http://here:1 does not answer"),
        ("ModuleNotFoundError: No module named 'pyarrow'", "no Python module pyarrow"),
        ("[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.9", "another version of Python"),
        ("[CAST_INVALID_INPUT] The value 'Mary' cannot be cast", "Spark stopped with PySparkException"),
    ],
)
def test_why_spark_broke_off_is_told_without_its_message(said: str, answer: str) -> None:
    """The service or what is missing by name; no value of a row."""
    sentence = told(PySparkException(said), Storage(endpoint="http://here:1", secret_key=SECRET))
    assert answer in sentence
    assert "Mary" not in sentence
