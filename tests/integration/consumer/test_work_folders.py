import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.consumer.work_folders import delete_abandoned_folders, work_folder

HOLD = """
from app.consumer.work_folders import work_folder
with work_folder() as folder:
    (folder / "file").write_text("text")
    print(folder, flush=True)
    input()
"""
LONG_AGO = (0, 0)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The system's folder for temporary files, of this process and of its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def holder():
    """A process that works in a folder which was made long ago, and the folder."""
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        folder = Path(child.stdout.readline().strip())
        os.utime(folder, LONG_AGO)
        yield child, folder
        child.kill()


def test_a_folder_is_there_until_the_work_ends(place):
    with work_folder() as folder:
        (folder / "file").write_text("text")
        assert folder.parent == place

    assert not folder.exists()


def test_the_folder_of_a_killed_process_is_deleted(holder):
    child, folder = holder
    child.kill()
    child.wait()
    assert folder.exists()
    os.utime(folder, LONG_AGO)

    assert delete_abandoned_folders() == 1
    assert not folder.exists()


def test_a_folder_that_is_held_is_kept(holder):
    _, folder = holder

    assert delete_abandoned_folders() == 0
    assert (folder / "file").read_text() == "text"


def test_a_young_folder_and_those_of_others_are_kept(place):
    kept = [place / "warren-work-young", place / "warren-postgres-old", place / "other"]
    for each in kept:
        each.mkdir()
    for each in kept[1:]:
        os.utime(each, LONG_AGO)

    assert delete_abandoned_folders() == 0
    assert all(each.exists() for each in kept)


def test_a_link_is_not_followed(place):
    target = place / "target"
    target.mkdir()
    (place / "warren-work-link").symlink_to(target)
    os.utime(place / "warren-work-link", LONG_AGO, follow_symlinks=False)

    assert delete_abandoned_folders() == 0
    assert target.exists()
