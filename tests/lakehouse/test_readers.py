"""Readers beside a writer see whole releases only."""

import re
import subprocess
import sys

import pytest

from tests.lakehouse.small_lake import SPECS, row


@pytest.mark.parametrize("publishes", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_readers_never_see_a_mix_of_two_releases(small, publishes):
    """Four processes poll while each release writes its number into three tables: each read finds one number, never an older."""
    readers = []
    for number in range(1, publishes + 1):
        batch = f"b{number}"
        writer = small.begin(batch)
        for spec in SPECS:
            writer.replace(spec.name, [small.write(writer, spec.name, [row(number)])], None)
        assert small.publish(small.publication(writer, batch)) == number
        if number == 1:
            command = [sys.executable, "-m", "tests.lakehouse.reader", str(small.home)]
            readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    (small.home / "stop").touch()
    for reader in readers:
        told = reader.communicate(timeout=60)[0]
        assert re.match(r"[1-9]\d* reads", told) and reader.returncode == 0, told
