"""The client that walks a folder: what it sends, what it writes, and what it says of the rest."""

import asyncio
import base64
import functools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.child import child
from tests.support.waiting import until
from warren_client import image_folder, image_requests
from warren_client.image_requests import Question

Answer = tuple[int, Any]

LONGEST = 100.0  # for what a machine that is busy with something else does in its own time


class Api(ThreadingHTTPServer):
    """Answers as `answer(path, body)` says, and keeps what it was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[str, Any], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []
        self.retry_after = "0"

    def handle_error(self, *_: Any) -> None:
        """A client that was interrupted takes no answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(content) if content else None
        self.server.asked.append((self.path, body))
        status, answer = self.server.answer(self.path, body)
        if not status:  # hang up
            self.close_connection = True
            return
        written = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if status in (429, 503):
            self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


def cat(path: str, body: Any) -> Answer:
    """Answer that everything is a cat."""
    return 200, {"message": {"status": "TASK_COMPLETED", "prediction": "cat", "job_id": "j"}}


@pytest.fixture
def api() -> Iterator[Api]:
    with Api(cat) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "deep/er/b.PNG", "c.jpeg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "d.jpg").mkdir()
    return tmp_path


def run(api: Api, folder: Path, *options: str) -> Result:
    return CliRunner().invoke(image_folder.main, [str(folder), "--url", api.url, *options])


def ask_all(
    api: Api, folder: Path, call: image_requests.Call = "predict", **changes: Any
) -> image_folder.Outcome:
    """Ask with another number of tries, or another pause between them."""
    outcome = image_folder.Outcome()
    images = list(image_folder.walk(folder))
    client = functools.partial(image_requests.ImageClient, **changes)
    asking = image_folder.ask_all(api.url, Question(call, ("m",)), images, 8, 600, outcome, client)
    asyncio.run(asking)
    return outcome


def written(folder: Path) -> dict[str, Any]:
    """Return all that was written into a folder, whole or not."""
    known = (".txt", ".jpg", ".jpeg", ".PNG")
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in known
    }


def test_every_image_below_the_folder_is_asked_about_and_nothing_else(api, folder):
    ended = run(api, folder, "--model", "m")

    assert ended.exit_code == 0, ended.output
    assert ended.stdout == "3 answered, 0 failed\n"
    found = written(folder)
    assert set(found) == {"a.jpg.json", "deep/er/b.PNG.json", "c.jpeg.json"}
    assert found["a.jpg.json"] == {"call": "predict", "answer": cat("", None)[1]["message"]}
    sent = {base64.b64decode(body["image_data"]) for _, body in api.asked}
    assert sent == {b"a.jpg", b"deep/er/b.PNG", b"c.jpeg"}
    assert {path for path, _ in api.asked} == {"/predict"}


@pytest.mark.parametrize(
    ("question", "path", "body"),
    [
        (Question("predict", ("m",)), "/predict", {"model_id": "m"}),
        (Question("async", ("m",)), "/predict/async", {"model_id": "m"}),
        (
            Question("sync_async", ("m", "n")),
            "/predict/sync_async",
            {"sync_model_id": "m", "async_model_id": "n"},
        ),
        (Question("parallel", ("m", "n")), "/predict/parallel", {"model_ids": ["m", "n"]}),
        (
            Question("parallel", ("m",), "mean"),
            "/predict/parallel",
            {"model_ids": ["m"], "combine": "mean"},
        ),
    ],
)
def test_each_call_has_its_body(question, path, body):
    assert question.path == path
    assert question.body(b"image") == {**body, "image_data": "aW1hZ2U="}


@pytest.mark.parametrize(
    "options",
    [
        ["--call", "sync_async", "--model", "m"],
        ["--model", "m", "--model", "n"],
        ["--call", "async", "--model", "m", "--combine", "mean"],
        ["--call", "all", "--model", "m"],
        ["--call", "parallel", "--model", "m", "--combine", "all"],
        [],
    ],
)
def test_what_a_call_does_not_take_is_a_usage_error(options, api, folder):
    assert run(api, folder, *options).exit_code == 2
    assert not api.asked


def test_an_answer_that_is_there_is_not_asked_for_again_unless_wanted(api, folder):
    (folder / "a.jpg.json").write_text('"mine"')

    ended = run(api, folder, "--model", "m")
    assert ended.stdout == "2 answered, 0 failed, 1 had an answer already (--again asks anew)\n"
    assert written(folder)["a.jpg.json"] == "mine"

    assert run(api, folder, "--model", "m", "--again").stdout == "3 answered, 0 failed\n"
    assert written(folder)["a.jpg.json"]["answer"]["prediction"] == "cat"


def test_what_fails_is_told_and_the_others_are_answered(api, folder):
    def answer(path: str, body: Any) -> Answer:
        if base64.b64decode(body["image_data"]) == b"a.jpg":
            return 422, {"title": "Unprocessable Content", "detail": "image_data: no image"}
        return cat(path, body)

    api.answer = answer
    ended = run(api, folder, "--model", "m")

    assert ended.exit_code == 1
    assert ended.stdout.splitlines() == [
        "2 answered, 1 failed",
        f"{folder}/a.jpg: 422 Unprocessable Content: image_data: no image",
    ]
    assert set(written(folder)) == {"deep/er/b.PNG.json", "c.jpeg.json"}

    api.answer = cat
    assert run(api, folder, "--model", "m").stdout.startswith("1 answered, 0 failed, 2 had")


def busy_once(api: Api, status: int = 503) -> Callable[[str, Any], Answer]:
    def answer(path: str, body: Any) -> Answer:
        busy = api.asked.count((path, body)) == 1
        return (status, {"title": "busy", "detail": "busy"}) if busy else cat(path, body)

    return answer


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_warren_is_asked_again(api, folder, status):
    api.answer = busy_once(api, status)
    assert run(api, folder, "--model", "m").stdout == "3 answered, 0 failed\n"
    assert len(api.asked) == 6


def test_a_busy_warren_may_say_until_when(api, folder):
    api.answer = busy_once(api)
    api.retry_after = "Wed, 21 Oct 2026 07:28:00 GMT"
    assert ask_all(api, folder, pause=0.0).answered == 3
    assert len(api.asked) == 6


def test_a_warren_that_stays_busy_is_given_up(api, folder):
    api.answer = lambda *_: (503, {"title": "busy", "detail": "too much"})
    assert [*ask_all(api, folder, tries=2).failed.values()] == ["503 busy: too much"] * 3
    assert len(api.asked) == 6


@pytest.mark.parametrize(
    "answer", [(200, b"<html>"), (200, {"all": "well"}), (200, []), (200, {"message": None})]
)
def test_who_is_no_warren_is_found_out(answer, api, folder):
    api.answer = lambda *_: answer
    ended = run(api, folder, "--call", "async", "--model", "m")
    assert ended.exit_code == 1
    assert ended.stdout.count(f"{api.url}") == 3


def test_nobody_there_is_no_answer(folder):
    with Api(cat) as gone:
        pass
    failed = ask_all(gone, folder, tries=1).failed
    assert len(failed) == 3
    assert all(why.startswith("no answer from http://127.0.0.1") for why in failed.values())


def test_an_image_has_only_so_much_time(api, folder):
    api.answer = lambda *_: (200, {"message": {"job_id": "j"}, "state": "TASK_RUNNING"})
    ended = run(api, folder, "--call", "async", "--model", "m", "--seconds", "0.3")
    assert ended.stdout.count("no answer in 0.3 s") == 3


def test_a_job_is_waited_for_and_both_answers_are_written(api, folder):
    def answer(path: str, body: Any) -> Answer:
        if body:
            return cat(path, body)
        looks = sum(path == "/jobs/j" for path, _ in api.asked)
        return 200, {"state": "TASK_RUNNING" if looks < 4 else "TASK_COMPLETED", "disagree": True}

    api.answer = answer
    ended = run(api, folder, "--call", "sync_async", "--model", "m", "--model", "n")

    assert ended.exit_code == 0, ended.output
    found = written(folder)["a.jpg.json"]
    assert found["answer"]["prediction"] == "cat"
    assert found["job"] == {"state": "TASK_COMPLETED", "disagree": True}


def test_a_job_that_fails_fails_its_image(api, folder):
    error = {"type": "endpoint_failed", "detail": "no JSON"}

    def answer(path: str, body: Any) -> Answer:
        return cat(path, body) if body else (200, {"state": "TASK_ERROR", "error": error})

    api.answer = answer
    ended = run(api, folder, "--call", "async", "--model", "m")
    assert ended.stdout.count("the job j ended as TASK_ERROR: no JSON") == 3
    assert not written(folder)


def test_one_model_of_several_is_enough(api, folder):
    answers = [{"model_id": "m", "error": {"detail": "gone"}}, {"model_id": "n"}]
    api.answer = lambda *_: (200, {"message": {"answers": answers}})

    ended = run(api, folder, "--call", "parallel", "--model", "m", "--model", "n")

    assert ended.exit_code == 0, ended.output
    assert len(written(folder)) == 3


def test_a_job_is_looked_at_again_when_the_connection_is_lost(api, folder):
    completed = {"state": "TASK_COMPLETED"}

    def answer(path: str, body: Any) -> Answer:
        looks = [asked for asked, _ in api.asked if asked.startswith("/jobs/")]
        return cat(path, body) if body else (200 if len(looks) > 1 else 0, completed)

    api.answer = answer
    assert ask_all(api, folder, "async", pause=0.0).answered == 3


def test_what_may_have_been_asked_is_not_asked_again(api, folder):
    api.answer = lambda *_: (0, None)
    ended = run(api, folder, "--model", "m")
    assert ended.stdout.count("no answer from") == 3
    assert len(api.asked) == 3


def test_a_folder_without_images_is_an_error(api, tmp_path):
    ended = run(api, tmp_path, "--model", "m")
    assert ended.exit_code == 1
    assert f"no image in {tmp_path}" in ended.output


def test_half_a_file_is_never_left(tmp_path):
    with pytest.raises(TypeError):
        image_folder.write(tmp_path / "a.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_whole_answers_and_ends(api, folder):
    let_go = threading.Event()

    def answer(path: str, body: Any) -> Answer:
        if base64.b64decode(body["image_data"]) == b"c.jpeg":
            let_go.wait()
        return cat(path, body)

    api.answer = answer
    command = [
        sys.executable,
        "-m",
        "warren_client.image_folder",
        str(folder),
        "--url",
        api.url,
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def two_are_answered() -> bool:
        assert process.poll() is None, process.communicate()
        return len([*folder.rglob("*.json")]) == 2

    try:
        with child([*command, "--model", "m"], **pipes) as process:
            until(two_are_answered, "two of three are answered", LONGEST)
            process.send_signal(signal.SIGINT)
            said, complaint = process.communicate()
    finally:
        let_go.set()

    assert process.returncode == 130, complaint
    assert said == "2 answered, 0 failed\n"
    assert "Traceback" not in complaint
    assert set(written(folder)) == {"a.jpg.json", "deep/er/b.PNG.json"}
