"""Readers beside a writer see whole releases only."""

import re
import subprocess
import sys

import pytest

from tests.lakehouse.small_lake import SPECS, row


@pytest.mark.parametrize("publishes", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_readers_never_see_a_mix_of_two_releases(small, publishes):
    """Four processes poll while each release writes its number into three tables: each read finds one number, never an older."""
    publish_marker(small, 1)
    command = [sys.executable, "-m", "tests.lakehouse.reader", str(small.home)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [reader.stdout.readline() for reader in readers] == ["reading\n"] * 4
    for number in range(2, publishes + 1):
        publish_marker(small, number)
    (small.home / "stop").touch()
    for reader in readers:
        told = reader.communicate(timeout=60)[0]
        assert re.match(r"\d+ reads, last \d+", told) and reader.returncode == 0, told


def publish_marker(small, number):
    """Release `number`, whose three tables hold its number and nothing else."""
    writer = small.begin(f"b{number}")
    for spec in SPECS:
        writer.replace(spec.name, [small.write(writer, spec.name, [row(number)])], None)
    assert small.publish(small.publication(writer, f"b{number}")) == number
