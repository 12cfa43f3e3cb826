"""A folder of images, asked about through every call."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny
from tests.system.conftest import Running
from tests.system.support.processes import trusted

FOLDER = {
    "red.png": tiny.image((255, 0, 0)),
    "below/green.JPG": tiny.image((0, 255, 0), "JPEG"),
    "below/blue.jpeg": tiny.image((0, 0, 255), "JPEG"),
}


@pytest.fixture(scope="module")
def models(running: Running) -> None:
    for name, sharp in (("fast", 1.0), ("better", 10.0)):
        form = tiny.parts(tiny.COLOURS, tiny.colours(sharp))
        answer = running.http.put(f"/models/{name}", files=form)
        assert answer.is_success, answer.text


def walk(running: Running, folder: Path, *options: str) -> tuple[int, str]:
    """Run the client; return its status and all it said."""
    url = str(running.http.base_url)
    walker = running.stack.start(
        ("-m", "warren_client.image_folder", str(folder), "--url", url, *options),
        **trusted(running.stack.environment),
    )
    return walker.wait(), walker.output()


def written(folder: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in folder.rglob("*.json")}


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("call", "names", "more"),
    [
        ("predict", ["better"], []),
        ("async", ["better"], []),
        ("sync_async", ["fast", "better"], []),
        ("parallel", ["fast", "better", "nobody"], ["--combine", "mean"]),
    ],
)
def test_every_image_is_answered_and_a_broken_one_is_told(
    call: str, names: list[str], more: list[str], running: Running, tmp_path: Path
) -> None:
    for name, content in FOLDER.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "broken.png").write_bytes(FOLDER["red.png"][:40])
    options = ["--call", call, *more]
    for name in names:
        options += ["--model", name]

    status, said = walk(running, tmp_path, *options)

    assert status == 1, said
    assert "3 answered, 1 failed\n" in said
    assert f"{tmp_path}/broken.png: " in said
    assert "Traceback" not in said
    found = written(tmp_path)
    assert set(found) == {f"{Path(name).name}.json" for name in FOLDER}
    for name, answer in found.items():
        colour = name.partition(".")[0]
        message = answer["answer"]
        if call == "parallel":
            assert [each["status"] for each in message["answers"]][2] == "TASK_ERROR"
            message = message["combined"]
        if call != "async":
            assert message["prediction"] == colour
        if "job" in answer:
            assert answer["job"]["result"]["prediction"] == colour
        if call == "sync_async":
            assert answer["job"]["disagree"] is False

    (tmp_path / "broken.png").unlink()
    status, said = walk(running, tmp_path, *options)
    assert (status, "0 answered, 0 failed, 3 had an answer" in said) == (0, True), said
