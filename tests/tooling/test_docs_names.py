"""The pages for contributors name files and classes that exist."""

import re
from pathlib import Path

import pytest

from app.settings.limits import LimitSettings

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
CODE = re.compile(r"`([^`]+)`")
PATH = re.compile(r"[\w.-]+(/[\w.-]*)*(/|\.py|\.json)")


def rows(page: str) -> list[str]:
    """Return the last cell of each row of a page's tables, where there is code in it."""
    lines = (ROOT / page).read_text().splitlines()
    cells = [line.strip("| ").rsplit("|", 1)[-1] for line in lines if line.startswith("| ")]
    return [cell for cell in cells if CODE.search(cell)]


def where_do_i() -> list[str]:
    """Return the paths of the table that says which file to open."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text[text.index("## Where do I") : text.index("## Four common changes")]
    cells = [line.rsplit("|", 2)[1] for line in table.splitlines() if line.startswith("| ")]
    return [code for cell in cells for code in CODE.findall(cell) if PATH.fullmatch(code)]


def paths_of(page: str) -> set[str]:
    """Return the Python files below app/ that a page names in its text."""
    return set(re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", (ROOT / page).read_text()))


def exists(path: str) -> bool:
    """Tell whether a path is there, below app/ or the root."""
    return (APP / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize("path", where_do_i())
def test_the_table_of_contributing_names_files_that_exist(path):
    assert exists(path)


@pytest.mark.parametrize(
    "name", [code for cell in rows("docs/glossary.md") for code in CODE.findall(cell)]
)
def test_the_glossary_names_files_and_classes_that_exist(name):
    if PATH.fullmatch(name):
        assert exists(name)
        return
    word = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\b")
    assert any(word.search(file.read_text()) for file in APP.rglob("*.py"))


def test_the_architecture_names_files_that_exist():
    assert [path for path in sorted(paths_of("docs/architecture.md")) if not exists(path)] == []


@pytest.mark.parametrize("name", [name.upper() for name in LimitSettings.model_fields])
def test_reliability_tells_of_each_limit(name):
    assert f"`{name}`" in (ROOT / "docs/reliability.md").read_text()
