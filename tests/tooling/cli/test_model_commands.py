"""What commands send about models, and what they tell of refusals."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.scripted_server import Script, scripted_server
from warren_cli import exit_codes
from warren_cli.program import warren

CHURN = {"model_id": "m3", "name": "churn", "version": 3, "aliases": [], "kind": "trained"}
REFUSED = "version 3 is worse than version 2; send force to set it all the same"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Script]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("WARREN_API_KEY", "WARREN_PROFILE", "WARREN_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    with scripted_server() as script:
        monkeypatch.setenv("WARREN_URL", script.url)
        yield script
        assert not script.answers


def run(*arguments: str) -> Result:
    return CliRunner().invoke(warren, arguments)


@pytest.mark.parametrize("model", ["churn:3", "m3", "red~m3"])
def test_a_version_or_an_id_is_promoted(script: Script, model: str) -> None:
    script.answer(200, CHURN)
    script.answer(200, {"alias": "champion", "version": 3})
    script.answer(200, CHURN)
    told = run("models", "promote", model, "champion")
    assert told.exit_code == 0, told.output
    assert told.stdout == "churn@champion is version 3, model m3\n"
    assert script.asked[1].json() == {"version": 3}


@pytest.mark.parametrize("model", ["churn", "churn@challenger", "latest", "red~latest"])
def test_what_may_mean_another_version_is_not_promoted(script: Script, model: str) -> None:
    if model == "churn":
        script.answer(200, CHURN)
    told = run("models", "promote", model, "champion")
    assert told.exit_code == exit_codes.USAGE
    assert f"{model} may mean another version" in told.stderr
    assert "PUT" not in [each.method for each in script.asked]


def test_a_refused_promotion_names_the_option(script: Script) -> None:
    script.answer(200, CHURN)
    script.problem(409, "conflict", REFUSED, field="version", comparison={"metric": "rmse"})
    told = run("models", "promote", "m3", "champion", "--metric", "rmse", "--json")
    assert told.exit_code == exit_codes.OTHER
    expected = "version 3 is worse than version 2; --force sets it all the same"
    assert json.loads(told.stdout)["error"]["detail"] == expected


def test_another_conflict_is_told_as_it_is(script: Script) -> None:
    script.answer(200, CHURN)
    script.problem(409, "conflict", "it was changed meanwhile", field="alias")
    told = run("models", "promote", "m3", "champion")
    assert told.stderr == "Error: it was changed meanwhile\n"


def scored(script: Script) -> None:
    script.answer(200, {"model_id": "m3", "kind": "trained"})
    script.answer(202, {"message": {"job_id": "j7"}})
    for _ in range(2):
        script.answer(200, {"id": "j7", "kind": "batch", "state": "TASK_COMPLETED"})


def test_an_output_without_a_folder_costs_nothing(script: Script, tmp_path: Path) -> None:
    told = run("score", "m3", __file__, "-o", str(tmp_path / "none" / "s.csv"))
    assert told.exit_code == exit_codes.USAGE
    assert "there is no folder" in told.stderr
    assert script.asked == []


def test_a_score_is_written_in_the_format_of_its_name(script: Script, tmp_path: Path) -> None:
    scored(script)
    script.answer(200, b"PAR1")
    output = tmp_path / "s.parquet"
    told = run("score", "m3", __file__, "-o", str(output), "-q")
    assert (told.exit_code, told.stdout) == (0, "j7\n")
    assert output.read_bytes() == b"PAR1"
    assert "format=parquet" in script.asked[1].path


def test_a_score_that_cannot_be_written_names_its_job(script: Script, tmp_path: Path) -> None:
    scored(script)
    script.answer(200, b"a\n1\n")
    told = run("score", "m3", __file__, "-o", str(tmp_path / ("s" * 254)), "--json")
    assert told.exit_code == exit_codes.OTHER
    error = json.loads(told.stdout)["error"]
    assert (error["type"], error["job"]) == ("not_written", "j7")
    assert "cannot be written: File name too long" in error["detail"]
    assert "`warren jobs result j7 -o FILE`" in told.stderr


def test_a_score_that_is_not_fetched_names_its_job(script: Script, tmp_path: Path) -> None:
    scored(script)
    script.problem(410, "gone", "the result was deleted")
    told = run("score", "m3", __file__, "-o", str(tmp_path / "s.csv"))
    assert told.exit_code == exit_codes.NOT_FOUND
    assert "the result was deleted; job j7" in told.stderr
