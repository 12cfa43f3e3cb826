"""The program `warren` against a whole Warren."""

import dataclasses
import io
import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from PIL import Image

from devstack import ports
from devstack.layout import ROOT
from tests.support import graphs, mlflow_folders, tiny
from tests.support.child import child
from tests.system.conftest import Running
from tests.system.support.client import PREDICTION, RMSE, diabetes
from tests.system.support.shell import Shell
from warren_cli.exit_codes import (
    FAILED,
    INTERRUPTED,
    MEANINGS,
    NOT_ALLOWED,
    NOT_FOUND,
    OTHER,
    OUT_OF_TIME,
    UNREACHABLE,
    USAGE,
)

pytestmark = pytest.mark.timeout(600)  # each run of the program takes seconds on a busy machine

PAGE = ROOT / "docs" / "cli.md"
NOBODY = "0" * 32
ENDLESS = ("--set", "params.n_estimators=1000000", "--set", "params.max_depth=3")
AB = mlflow_folders.columns("a", "b")
NINE = "age,bmi,bp,s1,s2,s3,s4,s5,s6"
ROW = {
    "age": 0.038076,
    "bmi": 0.061696,
    "bp": 0.021872,
    "s1": -0.044223,
    "s2": -0.034821,
    "s3": -0.043401,
    "s4": -0.002592,
    "s5": 0.019908,
    "s6": -0.017646,
}


@pytest.fixture(scope="module")
def shell(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("user")
    (folder / "diabetes.csv").write_text(diabetes())
    return Shell.of(running, folder)


@pytest.fixture(scope="module")
def reference(shell: Shell) -> dict[str, Any]:
    """The job of the reference model, trained on a file."""
    job = shell.reads(
        *("train", "diabetes.csv", "--dataset", "diabetes", "--target", "target"),
        *("--features", NINE, "--wait"),
    )
    assert job["state"] == "TASK_COMPLETED"
    return dict(job)


@pytest.fixture
def endless(shell: Shell, reference: dict[str, Any]) -> str:
    """A training that ends only by a cancel."""
    accepted = shell("train", "diabetes", "--target", "target", *ENDLESS, "-q")
    assert accepted.code == 0, accepted
    return accepted.out.strip()


def test_a_training_is_awaited_and_found_again(shell: Shell, reference: dict[str, Any]) -> None:
    assert reference["metrics"]["rmse"] == pytest.approx(RMSE, abs=0.01)
    found = shell.reads("jobs", "show", reference["id"])
    assert found["metrics"] == reference["metrics"]
    assert reference["id"] in shell("jobs", "ls", "--kind", "train", "-q").out.split()
    shown = shell("jobs", "logs", reference["id"])
    assert "attempt 1 began" in shown.out
    assert "TASK_COMPLETED: " in shown.out
    assert shell.reads("models", "show", reference["id"])["model_id"] == reference["id"]


def test_the_same_training_of_the_same_file_is_the_same_job(shell: Shell) -> None:
    asked = ("train", "diabetes.csv", "--target", "target", "--features", "bmi,bp", "--wait", "-q")
    first, second = shell(*asked), shell(*asked)
    assert first.code == 0
    assert first.out.strip()
    assert first.err == ""
    assert second.out == first.out
    piped = ("train", "-", *asked[2:])
    assert shell(*piped, typed=(shell.folder / "diabetes.csv").read_text()).out == first.out
    assert shell(*asked, "--again").out not in (first.out, "")


def test_options_of_a_training_are_json(shell: Shell, reference: dict[str, Any]) -> None:
    options = ("--set", "params.n_estimators=7", "--set", "split.test_size=0.3")
    asked = ("train", "diabetes", "--target", "target", "--estimator", "random_forest_regressor")
    request = shell.reads(*asked, *options, "--wait")["request"]
    assert request["params"] == {"n_estimators": 7}
    assert request["split"]["test_size"] == 0.3


def test_rows_come_as_pairs_as_json_and_as_files(
    shell: Shell, reference: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text(
        f"{','.join(ROW)},extra\n{','.join(map(str, ROW.values()))},x\n"
    )
    (tmp_path / "rows.json").write_text(json.dumps([ROW, ROW]))
    pairs = [f"{name}={value}" for name, value in ROW.items()]
    for rows, count in (
        (["--row", *pairs], 1),
        ([json.dumps(ROW)], 1),
        ([str(tmp_path / "rows.csv")], 1),
        ([str(tmp_path / "rows.json")], 2),
    ):
        answer = shell.reads("predict", reference["id"], *rows)
        assert answer["model_id"] == reference["id"]
        predicted = [each["prediction"] for each in answer["predictions"]]
        assert predicted == [pytest.approx(PREDICTION, abs=1e-4)] * count
    piped = shell("predict", reference["id"], "-", typed=json.dumps(ROW) + "\n" + json.dumps(ROW))
    assert [float(line) for line in piped.out.splitlines()] == [
        pytest.approx(PREDICTION, abs=1e-4)
    ] * 2


def test_images_are_files(shell: Shell, reference: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "colours.onnx").write_bytes(tiny.colours())
    (tmp_path / "colours.json").write_text(json.dumps(tiny.COLOURS))
    manifest = ("--manifest", str(tmp_path / "colours.json"))
    model = shell("models", "upload", str(tmp_path / "colours.onnx"), *manifest, "-q").out.strip()
    red, blue = tmp_path / "red.png", tmp_path / "blue.png"
    Image.new("RGB", (9, 6), "red").save(red)
    Image.new("RGB", (9, 6), "blue").save(blue)
    assert shell("predict", model, "--image", str(blue), str(red)).out == "blue\nred\n"
    answer = shell.reads("predict", model, "--image", str(red), "--image", str(blue))
    assert answer["model_id"] == model
    assert [each["prediction"] for each in answer["predictions"]] == ["red", "blue"]
    assert answer["predictions"][0]["pred_proba"]["red"] > 0.9

    def refused(*arguments: str, code: int) -> str:
        ended = shell("predict", *arguments)
        assert (ended.code, ended.out) == (code, "")
        return str(ended.err)

    missing = str(tmp_path / "none.png")
    assert f"there is no file {missing}" in refused(model, "--image", missing, code=USAGE)
    assert "one or more files" in refused(model, "--image", code=USAGE)
    assert "no --row" in refused(model, "--image", "--row", "a=1", code=USAGE)
    assert "takes rows" in refused(reference["id"], "--image", str(red), code=USAGE)
    refused("nobody", "--image", str(red), code=NOT_FOUND)


def test_a_table_is_scored_into_a_file(
    shell: Shell, reference: dict[str, Any], tmp_path: Path
) -> None:
    scored = tmp_path / "scored.csv"
    asked = ("score", reference["id"], "diabetes.csv", "-o", str(scored), "--columns", "age")
    job = shell.reads(*asked)
    assert job["result"]["scored"] == 442
    lines = scored.read_text().splitlines()
    assert lines[0] == "age,prediction"
    assert len(lines) == 443
    again = tmp_path / "again.csv"
    assert shell("jobs", "result", job["id"], "-o", str(again)).code == 0
    assert again.read_text() == scored.read_text()


def test_models_are_listed_compared_saved_and_deleted(
    shell: Shell, reference: dict[str, Any], tmp_path: Path
) -> None:
    asked = ("train", "diabetes", "--target", "target", "--features", "bmi", "--wait", "-q")
    other = shell(*asked).out.strip()
    listed = shell("models", "ls", "-q").out.split()
    assert {other, reference["id"]} <= set(listed)
    compared = shell("models", "compare", reference["id"], other)
    assert [line.split()[0] for line in compared.out.splitlines()] == [
        "MODEL",
        reference["id"],
        other,
    ]
    assert "rmse" in compared.out
    saved = tmp_path / "model.onnx"
    assert shell("models", "export", other, "-o", str(saved)).code == 0
    assert saved.stat().st_size > 1000
    assert shell("models", "rm", other).code == 0
    gone = shell("models", "show", other, "--json")
    assert gone.code == NOT_FOUND
    assert gone.object["error"]["type"] == "gone"


@pytest.fixture(scope="module")
def sums(shell: Shell) -> list[str]:
    """The ids of two versions of the name `sums`, uploaded by the program."""
    (shell.folder / "sums.onnx").write_bytes(tiny.sums())
    ids = []
    for b in (2.0, 3.0):
        manifest = {**tiny.ROWS, "sample": {"a": 1.0, "b": b}}
        (shell.folder / "sums.json").write_text(json.dumps(manifest))
        asked = ("models", "upload", "sums.onnx", "--manifest", "sums.json", "--name", "sums")
        first, again = shell.reads(*asked), shell(*asked, "-q")
        assert again.out == f"{first['model_id']}\n"
        ids.append(first["model_id"])
    return ids


def test_an_uploaded_model_is_a_version_of_its_name(shell: Shell, sums: list[str]) -> None:
    listed = shell.reads("models", "versions", "sums")["versions"]
    assert [each["model_id"] for each in listed] == [*reversed(sums)]
    answer = shell.reads("predict", "sums:1", "--row", "a=1", "b=2")
    assert answer["predictions"][0]["prediction"] == 3


def test_a_model_of_mlflow_is_uploaded_as_a_folder(shell: Shell) -> None:
    folder = shell.folder / "linear"
    with ZipFile(io.BytesIO(mlflow_folders.folder(graphs.linear(), AB))) as archive:
        archive.extractall(folder)
    made = shell("models", "upload", "linear", "--id", "linear", "-q")
    assert (made.code, made.out) == (0, "linear\n"), made
    assert shell("predict", "linear", "--row", "a=1", "b=2").code == 0
    (folder / "MLmodel").write_text("flavors: {}")
    refused = shell("models", "upload", "linear", "--json")
    assert (refused.code, refused.object["error"]["type"]) == (OTHER, "invalid")


def test_calls_of_a_name_are_split_from_a_shell(shell: Shell, sums: list[str]) -> None:
    assert shell.reads("models", "split", "sums")["split"] is None
    assert shell("models", "split", "sums", "v1=90", "2=10", "-q").out == "sums\n"
    assert shell.reads("models", "split", "sums")["split"] == {"1": 90, "2": 10}
    assert shell("models", "split", "sums").out == "sums: v1=90, v2=10\n"
    assert shell.reads("models", "split", "sums", "--end")["split"] is None
    assert shell("models", "split", "sums", "v9=1").code == NOT_FOUND
    assert shell("models", "split", "nobody").code == NOT_FOUND


def test_a_shadow_is_set_from_a_shell(shell: Shell, sums: list[str]) -> None:
    assert shell("models", "promote", "sums:1", "champion").code == 0
    assert shell("models", "shadow", "sums").code == NOT_FOUND
    made = shell.reads("models", "shadow", "sums:2", "champion", "--share", "0.25")
    assert (made["version"], made["alias"], made["share"]) == (2, "champion", 0.25)
    by_id = shell.reads("models", "shadow", sums[1], "champion")
    assert (by_id["version"], by_id["share"]) == (2, 1)
    assert shell("models", "shadow", "sums", "-q").out == f"{sums[1]}\n"
    assert "sums@champion, version 1" in shell("models", "shadow", "sums").out
    assert shell("models", "shadow", "sums", "--end").out == "sums has no shadow now\n"
    assert shell("models", "shadow", "sums").code == NOT_FOUND


def test_a_name_is_described_from_a_shell(shell: Shell, sums: list[str]) -> None:
    made = shell.reads("models", "describe", "sums", "--description", "adds", "--tag", "toy")
    assert (made["description"], made["tags"]) == ("adds", ["toy"])
    third = shell.reads("models", "describe", "sums:1", "--tag", "old", "--tag", "first")
    assert (third["version"], third["tags"]) == (1, ["old", "first"])
    assert shell("models", "names", "--tag", "toy", "-q").out == "sums\n"
    cleared = shell.reads("models", "describe", "sums", "--no-tags")
    assert (cleared["description"], cleared["tags"]) == ("adds", [])
    assert "adds" in shell("models", "describe", "sums").out
    assert shell("models", "describe", "nobody").code == NOT_FOUND


def test_data_sets_are_stored_described_and_deleted(shell: Shell) -> None:
    stored = shell.reads("datasets", "put", "-", "piped", typed="a,b\n1,x\n2,y\n")
    assert stored["id"] == "piped"
    described = shell.reads("datasets", "show", "piped")
    assert [each["name"] for each in described["columns"]] == ["a", "b"]
    assert "piped" in shell("datasets", "ls", "--begin", "pip", "-q").out.split()
    assert shell("datasets", "show", "piped").out.startswith("data set  piped\n")
    assert shell("datasets", "rm", "piped").code == 0
    assert shell("datasets", "show", "piped").code == NOT_FOUND


def test_a_failed_training_is_code_1_and_can_be_tried_again(
    shell: Shell, reference: dict[str, Any]
) -> None:
    asked = ("train", "diabetes", "--target", "target", "--set", 'sample_weight="nowhere"')
    failed = shell(*asked, "--wait", "--json")
    assert failed.code == FAILED
    assert failed.object["state"] == "TASK_ERROR"
    assert failed.err.splitlines()[-1].startswith(f"Error: job {failed.object['id']} failed: ")
    again = shell("jobs", "retry", failed.object["id"], "--wait", "--json")
    assert again.code == FAILED
    assert again.object["id"] != failed.object["id"]


def test_a_wait_may_end_before_the_job_which_goes_on(shell: Shell, endless: str) -> None:
    late = shell("jobs", "wait", endless, "--timeout", "0", "--json")
    assert late.code == OUT_OF_TIME
    assert late.object["id"] == endless
    assert f"`warren jobs wait {endless}`" in late.err
    cancelled = shell("jobs", "cancel", endless, "-q")
    assert (cancelled.code, cancelled.out) == (0, f"{endless}\n")
    ended = shell("jobs", "wait", endless)
    assert ended.code == FAILED
    assert "was cancelled" in ended.err


def test_ctrl_c_says_how_to_go_on(shell: Shell, endless: str) -> None:
    with shell.starts("jobs", "logs", endless, "--follow") as process:
        assert "accepted: train" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert f"`warren jobs wait {endless}`" in err
    assert shell("jobs", "cancel", endless).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("jobs", "show", NOBODY), NOT_FOUND, "not_found"),
        (("models", "show", "nobody"), NOT_FOUND, "not_found"),
        (("datasets", "rm", "nobody"), NOT_FOUND, "not_found"),
        (("predict", "nobody", "--row", "a=1"), NOT_FOUND, "not_found"),
        (("predict", "nobody", "--row", "a"), USAGE, "usage"),
        (("predict", "", "--row", "a=1"), USAGE, "usage"),
        (("predict", "nobody,extra=error", "--row", "a=1"), USAGE, "usage"),
        (("models", "promote", "nobody", "champion"), NOT_FOUND, "not_found"),
        (("models", "promote", "nobody@champion", "champion"), USAGE, "usage"),
        (("models", "rm", "latest"), OTHER, "invalid"),
        (("train", "nowhere.csv", "--target", "y"), USAGE, "usage"),
        (("train", "diabetes"), USAGE, "usage"),
        (("train", "diabetes", "--target", "y", "--set", "name=a"), USAGE, "usage"),
        (("train", "diabetes", "--target", "y", "--set", "tags=7"), OTHER, "invalid"),
        (("job", "ls"), USAGE, "usage"),
        (("jobs", "ls", "--profile", "nobody"), USAGE, "misconfigured"),
        (("jobs", "ls", "--url", "warren.example.com"), USAGE, "misconfigured"),
    ],
)
def test_an_error_is_a_code_a_sentence_and_an_object(
    arguments: tuple[str, ...], code: int, kind: str, shell: Shell
) -> None:
    ended = shell(*arguments, "--json")
    assert ended.code == code, ended
    error = ended.object["error"]
    assert (error["type"], error["exit_code"]) == (kind, code)
    assert ended.err.splitlines()[-1] == f"Error: {error['detail']}"


def test_a_server_that_is_not_there_is_code_3(shell: Shell) -> None:
    (port,) = ports.unused(1)
    ended = shell("status", "--url", f"http://127.0.0.1:{port}")
    assert ended.code == UNREACHABLE
    assert ended.out == ""
    assert "WARREN_URL" in ended.err


def test_the_state_of_the_server_and_its_consumers(shell: Shell) -> None:
    found = shell.reads("status")
    assert found["health"]["status"] == "ok"
    (worker,) = shell.reads("workers")["workers"]
    assert worker["state"] == "alive"
    assert "broker" in shell("status").out


def test_keys_are_made_and_kept_in_a_profile(
    running: Running, shell: Shell, tmp_path: Path
) -> None:
    operator = dataclasses.replace(shell, variables=running.stack.environment)
    made = operator("keys", "create", "--name", "shell", "--scope", "models")
    assert made.code == 0, made
    (known,) = operator.reads("keys", "list")["keys"]
    assert known["name"] == "shell"
    _, http = running.stack.producer(AUTH="on")
    url = str(http.base_url).rstrip("/")
    variables = {k: v for k, v in shell.variables.items() if k != "WARREN_URL"}
    user = Shell(tmp_path, variables)

    refused = user("models", "ls", "--url", url)
    assert refused.code == NOT_ALLOWED
    assert "warren login" in refused.err
    assert user("login", "work", "--url", url, typed="wrn_wrong\n").code == NOT_ALLOWED
    assert user.reads("profiles", "ls")["profiles"] == []
    assert user("login", "work", "--url", url, "-q", typed=made.out).out == "work\n"
    assert user("models", "ls").code == 0
    forbidden = user("train", "diabetes", "--target", "target", "--json")
    assert forbidden.code == NOT_ALLOWED
    assert forbidden.object["error"]["type"] == "forbidden"
    (profile,) = user.reads("profiles", "ls")["profiles"]
    assert profile["key"] == f"wrn_{known['id']}_..."
    assert made.out.strip() not in user("profiles", "ls").out
    assert user("profiles", "rm", "work").code == 0
    assert user.reads("profiles", "ls")["profiles"] == []


def test_the_operators_commands_are_there(running: Running, shell: Shell) -> None:
    operator = dataclasses.replace(shell, variables=running.stack.environment)
    assert operator.reads("deadletters", "list")["messages"] == []
    entries = operator.reads("audit", "--kind", "dataset", "--name", "diabetes")["entries"]
    assert entries[-1]["action"] == "create"
    missing = operator("deadletters", "show", NOBODY, "--json")
    assert missing.code == NOT_FOUND
    assert missing.object["error"]["type"] == "not_found"


@pytest.mark.slow
def test_the_commands_of_the_page_work_in_its_order(running: Running, tmp_path: Path) -> None:
    (tmp_path / "diabetes.csv").write_text(diabetes())
    (tmp_path / "sums.onnx").write_bytes(tiny.sums())
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    script = "".join(["set -eux -o pipefail\n", *blocks])
    with child(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=Shell.of(running, tmp_path).environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        said, _ = process.communicate(timeout=580)
    assert process.returncode == 0, said
    assert len(blocks) >= 8
    assert (tmp_path / "scored.csv").read_text().startswith("age,prediction\n")
    assert json.loads((tmp_path / "answer.json").read_text())["error"]["exit_code"] == NOT_FOUND


def test_the_page_has_all_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert {int(code): text for code, text in rows} == MEANINGS
