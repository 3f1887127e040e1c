"""Two samples for the whole suite: one without an error, one with many."""

import pytest

from medflow.generate import SampleRequest, generate
from tests.generate.reader import lines


@pytest.fixture(scope="session")
def clean_sample(tmp_path_factory):
    """(folder, truth, lines) of a sample without errors."""
    folder = tmp_path_factory.mktemp("clean") / "sample"
    truth = generate(SampleRequest(claims=3000, seed=11, out=folder))
    return folder, truth, lines(folder)


@pytest.fixture(scope="session")
def spoiled_sample(tmp_path_factory):
    """(folder, truth) of 4000 claims with a tenth of the lines in error."""
    folder = tmp_path_factory.mktemp("spoiled") / "sample"
    return folder, generate(SampleRequest(claims=4000, seed=7, out=folder, defects=0.1))
