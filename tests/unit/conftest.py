"""Keep the unit tests free of servers and processes, so that they run on any machine."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

PROCESS_EVENTS = {"subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "os.exec"}

_a_unit_test_runs = False


def _refuse_processes(event: str, _: tuple[Any, ...]) -> None:
    if _a_unit_test_runs and event in PROCESS_EVENTS:
        raise RuntimeError("a test that starts a process belongs into tests/integration")


sys.addaudithook(_refuse_processes)  # Python cannot remove it, hence the flag


def _refuse_servers() -> None:
    pytest.fail("a test that needs a server belongs into tests/integration")


broker = pytest.fixture(_refuse_servers, scope="session")
s3_server = pytest.fixture(_refuse_servers, scope="session")
postgres = pytest.fixture(_refuse_servers, scope="session")


@pytest.fixture(autouse=True)
def no_process() -> Iterator[None]:
    """Fail a test that starts a process."""
    global _a_unit_test_runs
    _a_unit_test_runs = True
    yield
    _a_unit_test_runs = False
