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


def test_an_alias_is_deleted(script: Script) -> None:
    script.answer(200, CHURN)
    script.answer(204)
    told = run("models", "rm-alias", "churn", "champion", "--yes")
    assert (told.exit_code, told.stdout) == (0, "the alias churn@champion is deleted\n")
    deleted = script.asked[1]
    assert (deleted.method, deleted.path) == ("DELETE", "/models/churn/aliases/champion")


def test_an_alias_that_is_not_there_is_told(script: Script) -> None:
    script.problem(404, "not_found", "churn has no alias champoin")
    told = run("models", "rm-alias", "churn", "champoin", "--yes")
    assert told.exit_code == exit_codes.NOT_FOUND
    assert "no alias champoin" in told.stderr


def test_a_name_is_deleted_unless_it_had_a_version(script: Script) -> None:
    script.answer(200, {"name": "churn"})
    script.answer(204)
    told = run("models", "rm-name", "churn", "--yes", "-q")
    assert (told.exit_code, told.stdout) == (0, "churn\n")
    script.answer(200, {"name": "churn"})
    script.problem(409, "conflict", "name: churn has versions")
    told = run("models", "rm-name", "churn", "--yes")
    assert (told.exit_code, told.stderr) == (exit_codes.OTHER, "Error: name: churn has versions\n")


FAR = {"model_id": "far", "kind": "endpoint", "url": "http://h/x", "seconds": 5, "limit": 100}


def test_an_endpoint_is_registered_with_its_members(script: Script) -> None:
    script.answer(201, {"model_id": "far"})
    script.answer(200, FAR)
    more = ("--set", "seconds=5", "--set", "secret.name=s", "--name", "churn")
    told = run("endpoints", "put", "far", "http://h/x", *more, "-q")
    assert (told.exit_code, told.stdout) == (0, "far\n")
    body = {"kind": "endpoint", "url": "http://h/x", "seconds": 5, "secret": {"name": "s"}}
    assert script.asked[0].json() == {**body, "name": "churn"}


def test_endpoints_are_listed_with_their_address(script: Script) -> None:
    there = {"endpoint_name": "churn-prod", "region": "eu-central-1"}
    sagemaker = {"model_id": "aws", "kind": "endpoint", "name": "c", "version": 2, "seconds": 9}
    script.answer(200, {"models": [{"model_id": "far"}, {"model_id": "aws"}], "next": None})
    script.answer(200, FAR)
    script.answer(200, {**sagemaker, "limit": 1, "sagemaker": there})
    told = run("endpoints", "ls")
    assert told.stdout.splitlines() == [
        "ID   NAME  WHERE                               SECONDS  LIMIT",
        "far  -     http://h/x                          5        100",
        "aws  c:2   sagemaker churn-prod, eu-central-1  9        1",
    ]
    assert "kind=endpoint" in script.asked[0].path


def test_only_an_endpoint_is_deleted_as_one(script: Script) -> None:
    script.answer(200, FAR)
    script.answer(204)
    assert run("endpoints", "rm", "far", "--yes").stdout == "endpoint far is deleted\n"
    script.answer(200, CHURN)
    told = run("endpoints", "rm", "m3", "--yes")
    assert told.exit_code == exit_codes.USAGE
    assert "m3 is no endpoint" in told.stderr


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
