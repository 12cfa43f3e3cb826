"""Arguments that cannot be meant so: each is a usage error before anything is sent."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from warren_cli import exit_codes
from warren_cli.arguments import model_reference, named, output_file, seconds, share, weight
from warren_cli.program import warren

NOWHERE = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "arguments",
    [
        *(("predict", "", "--row", "a=1"), ("predict", " ", "--row", "a=1")),
        *(("score", "", __file__), ("score", "m", ""), ("train", "", "--target", "y")),
        *(("jobs", each, "") for each in ("show", "wait", "logs", "cancel", "retry")),
        ("jobs", "result", "", "-o", "a.csv"),
        *(("models", each, "") for each in ("show", "rm", "compare", "versions")),
        *(("models", each, "") for each in ("upload", "describe", "split", "shadow")),
        *(("models", "shadow", "a:1", ""), ("models", "upload", __file__, "--name", "")),
        *(("models", each, "", "champion") for each in ("promote", "rollback", "history")),
        *(("models", each, "a:1", "") for each in ("promote", "rollback", "history")),
        ("models", "export", "", "-o", "a.onnx"),
        *(("datasets", "show", ""), ("datasets", "rm", ""), ("datasets", "put", __file__, "")),
        *(("profiles", "use", ""), ("profiles", "rm", "")),
        ("train", __file__, "--target", "y", "--dataset", ""),
    ],
)
def test_no_argument_is_empty(arguments: tuple[str, ...]) -> None:
    told = CliRunner().invoke(warren, [*arguments], env={"WARREN_URL": NOWHERE})
    assert told.exit_code == exit_codes.USAGE, told.output
    assert "it is empty" in told.stderr


@pytest.mark.parametrize("text", ["churn:1,extra=error", "é", "a\nb", "a b", "a\n", "a/b"])
@pytest.mark.parametrize("command", ["predict", "models show"])
def test_a_model_has_the_characters_of_a_reference(text: str, command: str) -> None:
    rows = ["--row", "a=1"] if command == "predict" else []
    asked = [*command.split(), text, *rows]
    told = CliRunner().invoke(warren, asked, env={"WARREN_URL": NOWHERE})
    assert told.exit_code == exit_codes.USAGE
    assert "is no model" in told.stderr


@pytest.mark.parametrize("text", ["latest", "a-1", "red~churn@champion", "churn:3", "v1.2_b"])
def test_a_reference_of_a_model_is_taken_as_it_is(text: str) -> None:
    assert model_reference(text) == named(text) == text


@pytest.mark.parametrize("text", ["nan", "-nan", "-1", "-inf", "", "soon"])
def test_a_time_is_a_number_from_0_on(text: str) -> None:
    with pytest.raises(click.BadParameter, match="seconds"):
        seconds(text)


def test_a_time_may_have_a_fraction() -> None:
    assert [seconds(text) for text in ("0", "1.5", "inf")] == [0, 1.5, float("inf")]


def test_a_weight_is_that_of_a_version() -> None:
    assert [weight(text) for text in ("v1=90", "2=0.5", "v10=0")] == [(1, 90), (2, 0.5), (10, 0)]
    assert [share(text) for text in ("0", "0.25", "1")] == [0, 0.25, 1]


@pytest.mark.parametrize("text", ["", "1", "v1=", "=1", "v0=1", "champion=1", "1=-1", "1=inf"])
def test_another_weight_is_told(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no VERSION=WEIGHT, such as"):
        weight(text)


@pytest.mark.parametrize("text", ["", "half", "-0.1", "1.1", "nan", "10%"])
def test_a_share_is_at_most_all(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no share from 0 to 1"):
        share(text)


def test_an_output_is_a_file_in_a_folder_that_is_there(tmp_path: Path) -> None:
    assert output_file(str(tmp_path / "a.csv")) == tmp_path / "a.csv"
    with pytest.raises(click.BadParameter, match=f"there is no folder {tmp_path}/none"):
        output_file(f"{tmp_path}/none/a.csv")
    with pytest.raises(click.BadParameter, match="is a folder"):
        output_file(str(tmp_path))


def test_a_folder_may_have_to_be_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(click.BadParameter, match="may not be written to"):
        output_file(str(tmp_path / "a.csv"))
