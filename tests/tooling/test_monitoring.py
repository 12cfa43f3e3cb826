"""The rules for Prometheus, the boards for Grafana and the page about them."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from app.observability.metrics import catalogue
from app.observability.version import VERSION
from devstack.layout import ROOT
from tests.system.support.programs import program

PROMETHEUS = ROOT / "deploy" / "prometheus"
BOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
PAGE = ROOT / "docs" / "monitoring.md"
COLUMNS = 24  # of a board of Grafana
SERIES_OF_HISTOGRAM = re.compile("_(bucket|count|sum)$")


def promtool(*arguments: str, cwd: Path = PROMETHEUS) -> None:
    ended = subprocess.run(
        [program("promtool"), *arguments], cwd=cwd, text=True, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_each_rule_does_what_its_test_says():
    promtool("test", "rules", "tests.yml")


def test_each_alert_has_a_test_in_which_it_fires():
    alerts = re.findall(r"alert: (\w+)", (PROMETHEUS / "rules.yml").read_text())
    fired = re.findall(
        r"alertname: (\w+)\n +exp_alerts:\n +- ", (PROMETHEUS / "tests.yml").read_text()
    )
    assert set(alerts) == set(fired)


def test_the_example_of_a_configuration_is_valid():
    promtool("check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_each_panel_of_a_board_asks_a_valid_question(board, tmp_path):
    panels = json.loads(board.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = [f"  - record: a{n}\n    expr: {json.dumps(each)}" for n, each in enumerate(asked)]
    (tmp_path / "board.yml").write_text("groups:\n- name: board\n  rules:\n" + "\n".join(rules))
    promtool("check", "rules", "board.yml", cwd=tmp_path)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_no_panel_of_a_board_covers_another(board):
    panels = json.loads(board.read_text())["panels"]
    places = [panel["gridPos"] for panel in panels]
    covered = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(covered) == len({*covered})
    assert max(x for x, _ in covered) < COLUMNS
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_each_metric_is_on_a_board_or_in_a_rule_and_these_name_no_other():
    texts = [each.read_text() for each in (*BOARDS, PROMETHEUS / "rules.yml")]
    named = {name for text in texts for name in re.findall(r"\bwarren_\w+", text)}
    known = {each.name for each in catalogue.FAMILIES}
    named = {each if each in known else SERIES_OF_HISTOGRAM.sub("", each) for each in named}
    assert named == known


def test_the_page_lists_each_metric():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `warren_")]
    assert rows == [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{name}`' for name in each.labels)} "
        f"| {', '.join(each.of)} | {each.meaning} |"
        for each in catalogue.FAMILIES
    ]


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
