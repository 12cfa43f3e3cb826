"""How far a job is, where somebody looks."""

import io
import sys
from types import SimpleNamespace

from warren_client.progress import describe, progress_bar
from warren_client.records import JobRecord


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def job(state: str, **more) -> JobRecord:
    return JobRecord(id="0123456789", state=state, **more)


def test_a_line_tells_the_state_the_share_and_the_seconds_left():
    assert describe(job("TASK_QUEUED", queue_position=3)) == "train 01234567 waits, 3 in the queue"
    half = job("TASK_RUNNING", progress=0.5, seconds_left=7.4)
    assert describe(half) == f"train 01234567 [{'#' * 15}{'.' * 15}]  50% runs, 7 s left"
    assert describe(job("TASK_COMPLETED")).endswith(f"[{'#' * 30}] 100% completed")


def test_a_terminal_has_one_line_that_changes():
    terminal = Terminal()
    with progress_bar(None, terminal) as show:
        show(job("TASK_QUEUED"))
        show(job("TASK_QUEUED"))
        show(job("TASK_CANCELLED"))
    assert terminal.getvalue() == "\rtrain 01234567 waits\rtrain 01234567 cancelled\n"


def test_a_file_has_none_unless_asked_for():
    file = io.StringIO()
    with progress_bar(None, file) as show:
        show(job("TASK_QUEUED"))
    assert file.getvalue() == ""
    with progress_bar(True, file) as show:  # noqa: FBT003
        show(job("TASK_QUEUED"))
    assert file.getvalue() == "\rtrain 01234567 waits\n"
    with progress_bar(False, Terminal()) as show:  # noqa: FBT003
        show(job("TASK_QUEUED"))


def test_a_function_gets_the_job():
    seen: list[JobRecord] = []
    with progress_bar(seen.append) as show:
        show(job("TASK_QUEUED"))
    assert [each.state for each in seen] == ["TASK_QUEUED"]


def test_a_notebook_replaces_its_output(monkeypatch):
    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)
    shell = type("ZMQInteractiveShell", (), {})()

    def display(text: str, display_id: bool) -> SimpleNamespace:
        shown.append(text)
        return handle

    parts = SimpleNamespace(Code=lambda text, language: text, display=display)
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=parts)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    with progress_bar(None, io.StringIO()) as show:
        show(job("TASK_QUEUED"))
        show(job("TASK_ERROR"))
    assert shown == ["train 01234567 waits", "train 01234567 failed"]
