"""No program makes the database that it is to use."""

import subprocess
import sys
from pathlib import Path

import pytest

from app import errors
from app.jobs.store import open_store
from app.settings import Settings
from devstack.layout import ROOT

PROGRAMS = {
    "producer": ("-m", "app.producer.main"),
    "consumer": (str(ROOT / "app/consumer/consumer.py"), "--num_threads", "1"),
}


@pytest.mark.parametrize("program", list(PROGRAMS))
def test_outside_of_a_checkout_a_program_names_the_setting_and_makes_no_file(
    tmp_path: Path, program: str
) -> None:
    done = subprocess.run(
        [sys.executable, *PROGRAMS[program]],
        env={"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"There is no database {tmp_path}/warren.db; it is the default, because DATABASE_URL is "
        "not set: set it, or start this in the folder of the checkout, where `.run/env` has it"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_a_setting_names_may_come_later(tmp_path: Path) -> None:
    file = tmp_path / "later.db"
    named = Settings(_env_file=None, database_url=f"sqlite:///{file}")
    with pytest.raises(errors.DatabaseUnavailable) as caught:
        open_store(named).get("job")
    assert f"there is no file {file}; DATABASE_URL names it, and `alembic" in str(caught.value)
    assert not file.exists()
