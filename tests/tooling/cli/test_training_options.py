"""What `warren train --set` takes."""

import click
import pytest
from click.testing import CliRunner

from app.protocol.training_request import TrainRequest
from warren_cli import exit_codes
from warren_cli.program import warren
from warren_cli.training_options import MEMBERS, OPTIONS, training_options

OF_ROW = {"unknown_keys"}  # only rows of jobs have it


def test_the_members_are_those_of_the_request() -> None:
    assert {*MEMBERS, *OPTIONS} == set(TrainRequest.model_fields) - OF_ROW
    assert not set(MEMBERS) & set(OPTIONS)


def test_members_are_taken_as_they_are() -> None:
    made = training_options([("cv", 5), ("split.test_size", 0.3), ("tags", ["a"])])
    assert made == {"cv": 5, "split": {"test_size": 0.3}, "tags": ["a"]}


@pytest.mark.parametrize("name", ["self", "wait", "data", "idempotency_key", "again", "progress"])
def test_arguments_of_the_client_are_no_members(name: str) -> None:
    with pytest.raises(click.UsageError, match=f"POST /train has no {name}; it has calibrate"):
        training_options([(name, "true")])


def test_a_slip_is_told_with_the_nearest_member() -> None:
    with pytest.raises(click.UsageError, match="did you mean params"):
        training_options([("param.depth", 3)])


@pytest.mark.parametrize("name", OPTIONS)
def test_a_member_with_an_option_of_its_own_is_not_set(name: str) -> None:
    asked = ["train", "diabetes", "--target", "y", "--set", f"{name}=x"]
    told = CliRunner().invoke(warren, asked, env={"WARREN_URL": "http://127.0.0.1:1"})
    assert told.exit_code == exit_codes.USAGE
    assert f"--set {name}: use {OPTIONS[name]}" in told.stderr
