"""The reply to any COMMIT of any write path lost, alone or with a second writer that ignores the lock.

Nothing that was acknowledged is lost, no row is doubled, no table becomes unreadable: the command succeeds or says what to
do, and once it was repeated everything is as after an undisturbed run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from medflow.errors import GateRefused
from spark_jobs import retention
from tests.support.disturbed import FileStage, Scene, problems
from tests.support.lake import Lake, copied_knowledge_base
from tests.support.lost_replies import lose_reply
from tests.support.write_paths import PATHS, put_first, put_refused, run

_SHARES = 2


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with declarations, the home of a lake with one release, and room for the lake at work."""
    folder = tmp_path_factory.mktemp("lost")
    lake = Lake(folder / "lake", copied_knowledge_base(folder / "knowledge_base"))
    put_first(lake)
    lake.run()
    lake.home.rename(folder / "released")
    return folder


@pytest.fixture(scope="module", params=PATHS)
def scene(request: pytest.FixtureRequest, workshop: Path) -> Iterator[Scene]:
    """A write path's lake before and after. Every lake lies at the same place, since metadata names its place.

    Retention counts to three here: thirty releases would be long in the making.
    """
    path, folder = PATHS[request.param], workshop / request.param
    shutil.rmtree(folder, ignore_errors=True)  # a worker that steals tests may come back to a path
    lake = Lake(workshop / "lake", folder / "knowledge_base")
    shutil.copytree(workshop / "knowledge_base", lake.knowledge_base)
    shutil.rmtree(lake.home, ignore_errors=True)
    if path.starts_empty:
        lake.home.mkdir()
    else:
        shutil.copytree(workshop / "released", lake.home)
    path.prepare(lake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "KEPT_RELEASES", 3)
        yield Scene.made(path, FileStage(lake, folder / "kept"))


@pytest.mark.parametrize("share", range(_SHARES))
def test_a_lost_reply_changes_nothing(scene: Scene, share: int) -> None:
    """At each commit, landed or not."""
    assert problems(scene, scene.alone()[share::_SHARES], 1) == []


@pytest.mark.parametrize("share", range(_SHARES))
def test_a_lost_reply_with_a_second_writer_loses_nothing_of_either(scene: Scene, share: int) -> None:
    """The second writer commits just before or after; what it was told is done stays, or our command was refused."""
    assert problems(scene, scene.with_second_writer()[share::_SHARES], 1) == []


def test_only_the_lock_commits_beside_the_command(scene: Scene) -> None:
    """Its heartbeat comes by the clock; everything else is numbered."""
    scene.set_up()
    with scene.stage.watched(None, lambda _: None) as replies:
        assert scene.told() is None
    assert replies.other_threads <= {"medflow-lock"}


def test_a_refusal_that_was_cut_short_is_refused_again(lake: Lake) -> None:
    """The batch counts as refused only once its files do, so that they can be retried."""
    put_refused(lake)
    site = lake.site()
    lose_reply(site.database, "UPDATE medflow_batches SET state", landed=True)
    with pytest.raises(OperationalError):
        run(site)
    with pytest.raises(GateRefused):
        run(lake.site())
    [file] = site.ledger.files()
    assert (file.state, file.reason_code) == ("refused", "gate")
    assert site.ledger.retry(file.sha256).retry
