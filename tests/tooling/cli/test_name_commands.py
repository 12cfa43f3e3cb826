"""What commands about whole names and uploads refuse before anything is sent."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from warren_cli import exit_codes
from warren_cli.program import warren

NOWHERE = "http://127.0.0.1:1"
FAR = "http://models.example.com/x"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("split", "churn", "v1=1", "1=2"), "a version is given twice"),
        (("split", "churn", "v1=1", "--end"), "--end and weights contradict"),
        (("split", "churn", "v1"), "'v1' is no VERSION=WEIGHT"),
        (("shadow", "churn", "--share", "0.5"), "--share needs the ALIAS"),
        (("shadow", "churn:2", "champion", "--end"), "--end takes NAME alone"),
        (("shadow", "churn@challenger", "champion"), "may mean another version"),
        (("shadow", "churn:2", "champion", "--share", "10%"), "'10%' is no share"),
        (("describe", "churn", "--tag", "a", "--no-tags"), "contradict each other"),
        (("describe", "churn@champion"), "describe a name, or a version"),
        (("upload", "nowhere.onnx"), "there is no file nowhere.onnx"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(arguments: tuple[str, ...], said: str) -> None:
    told = CliRunner().invoke(warren, ["models", *arguments], env={"WARREN_URL": NOWHERE})
    assert told.exit_code == exit_codes.USAGE, told.output
    assert said in told.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say where it is: a URL, or"),
        ((FAR, "--set", f"url={FAR}"), "--set url: use the argument URL"),
        ((FAR, "--set", "name=churn"), "--set name: use --name"),
        ((FAR, "--set", "seconds=1", "--set", "seconds=2"), "seconds is given twice"),
    ],
)
def test_an_endpoint_is_said_once_and_whole(arguments: tuple[str, ...], said: str) -> None:
    told = CliRunner().invoke(
        warren, ["endpoints", "put", "far", *arguments], env={"WARREN_URL": NOWHERE}
    )
    assert told.exit_code == exit_codes.USAGE, told.output
    assert said in told.stderr


def test_an_upload_says_what_its_file_lacks(tmp_path: Path) -> None:
    model, manifest = tmp_path / "m.onnx", tmp_path / "m.json"
    model.write_bytes(b"model")
    for arguments, said in (
        ([], "an ONNX file needs --manifest"),
        (["--manifest", str(manifest)], "No such file"),
    ):
        told = CliRunner().invoke(warren, ["models", "upload", str(model), *arguments])
        assert told.exit_code == exit_codes.USAGE, told.output
        assert said in told.stderr
    for text, said in (("{", "is no JSON: "), ("[]", "is no JSON object")):
        manifest.write_text(text)
        asked = ["models", "upload", str(model), "--manifest", str(manifest)]
        assert said in CliRunner().invoke(warren, asked).stderr
