"""What the producer refuses when a disk is nearly full."""

import shutil

import pytest

from app import errors
from app.producer.disk_reserve import DiskReserve


def test_a_disk_with_room_refuses_nothing(tmp_path):
    DiskReserve([tmp_path], shutil.disk_usage(tmp_path).free // 2).check()
    DiskReserve([], 10**18).check()


def test_a_disk_below_its_reserve_refuses(tmp_path):
    with pytest.raises(errors.StorageFull, match="MB free and keeps 1,000,000,000,000"):
        DiskReserve([tmp_path], 10**18).check()


def test_a_folder_that_is_not_there_is_passed_over_with_a_warning(tmp_path, caplog):
    DiskReserve([tmp_path / "gone"], 10**18).check()

    assert "gone is unknown" in caplog.text
