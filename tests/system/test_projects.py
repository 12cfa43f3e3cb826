"""The three projects of the page about trainings run as they are written there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Running
from tests.system.support.processes import trusted

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text()
PROJECTS = PAGE.partition("## Three projects\n")[2].split("\n### ")[1:]
STACK = "http://127.0.0.1:5000"
TIMEOUT = 300


@pytest.fixture(scope="module")
def outputs(running: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the commands of each project print, by the project's title."""
    folder = tmp_path_factory.mktemp("projects")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = {}
    for project in PROJECTS:
        blocks = re.findall(r"```bash\n(.*?)```", project, re.DOTALL)
        script = "\n".join(blocks).replace(STACK, str(running.http.base_url).rstrip("/"))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": path, **trusted(running.stack.environment)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, f"{project}\n{done.stdout}\n{done.stderr}"
        printed[project.partition("\n")[0]] = done.stdout
    return printed


def jobs(printed: str) -> list[dict[str, Any]]:
    """The last event of each job that was followed."""
    lines = re.findall(r"data: (\{.*\})\r?$", printed, re.MULTILINE)
    return [json.loads(line) for line in lines]


def answers(printed: str) -> list[dict[str, Any]]:
    """All JSON objects that commands printed."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while (place := printed.find("{", place)) >= 0:
        value, place = decoder.raw_decode(printed, place)
        found.append(value)
    return found


@pytest.mark.timeout(TIMEOUT + 60)
def test_there_are_three_and_each_training_of_theirs_ends_well(outputs: dict[str, str]) -> None:
    assert len(outputs) == 3
    for title, printed in outputs.items():
        ended = jobs(printed)
        assert ended, title
        assert {each["state"] for each in ended} == {"TASK_COMPLETED"}, (title, ended)


def test_the_forecast_is_better_than_the_mean_and_knows_winter_from_summer(
    outputs: dict[str, str],
) -> None:
    *_, evaluation, answer = answers(outputs["A number that depends on dates"])

    assert evaluation["test_scores"]["rmse"] < evaluation["baseline"]["scores"]["rmse"] / 2
    winter, summer = answer["message"]["prediction"]
    assert winter < 12 < 22 < summer


def test_the_rare_class_is_found_more_often_than_by_chance(outputs: dict[str, str]) -> None:
    printed = outputs["A rare class"]
    (ended,) = jobs(printed)
    evaluation = answers(printed)[-1]

    assert len(ended["cross_validation"]["f1"]["folds"]) == 15
    assert evaluation["tested_on"] == "folds"
    assert evaluation["test_scores"]["balanced_accuracy"] > 0.6


def test_unknown_firms_are_harder_than_later_years_of_known_ones(outputs: dict[str, str]) -> None:
    printed = outputs["Time series of several groups"]
    groups, years, _ = jobs(printed)

    assert len(groups["cross_validation"]["r2"]["folds"]) == 5
    assert len(years["cross_validation"]["r2"]["folds"]) == 4
    assert groups["metrics"]["r2"] < years["metrics"]["r2"]
    header, *rows = printed.splitlines()[-3:]
    assert header == "firm,year,prediction"
    assert [row.rpartition(",")[0] for row in rows] == [
        "General Motors,1935.0",
        "General Motors,1936.0",
    ]
