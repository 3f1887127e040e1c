"""kill -9 under Spark at ten points, then a run: the result is that of an undisturbed DuckDB run."""

from __future__ import annotations

import pytest

from tests.pipeline.test_kills import Scene, made_scene
from tests.support.counts import counted

# Before the first commit, while Python and the JVM write files, between layers, around the publish transaction.
POINTS = (
    "after step open#1",
    "in write#2",
    "after write#3",
    "before swap#2",
    "after step bronze#1",
    "in write#6",
    "after step silver#1",
    "before step recompute#1",
    "after swap#5",
    "before step publish#1",
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Release 1 and a second batch waiting; what is expected is what DuckDB makes of it."""
    return made_scene(tmp_path_factory.mktemp("spark_kills"))


def test_ten_points_are_named() -> None:
    """The whole count."""
    assert len(POINTS) == 10


@pytest.mark.parametrize("point", POINTS[:: counted(5, 1)])
def test_a_killed_spark_run_is_made_good_by_the_next(point: str, scene: Scene) -> None:
    """Nothing half visible after the kill; one more run, by Spark again, gives the tables of an undisturbed run."""
    scene.lake.engine = "spark"
    scene.set_up()
    died = scene.crash(point)
    assert died.returncode == -9, (point, died.stderr)
    assert scene.lake.release().number == 1, point
    scene.lake.run()
    assert scene.lake.release().number == 2, point
    assert scene.lake.content() == scene.expected, point
