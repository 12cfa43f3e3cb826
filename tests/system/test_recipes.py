"""The recipes of the documentation, run from top to bottom in an empty folder as a reader does."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack.layout import ROOT
from tests.support.child import child
from tests.support.recipes import Recipe, prints, recipes
from tests.system.conftest import Running
from tests.system.support.amqp import address_of_broker
from tests.system.support.programs import program

pytestmark = [pytest.mark.plain, pytest.mark.timeout(300)]  # the page has plain addresses

RECIPES = recipes((ROOT / "docs/recipes.md").read_text())
TITLED = [pytest.param(each, id=each.title) for each in RECIPES if each.title]
NODE = ROOT / "examples/clients/node/node_modules"
END = "=== the end of a block ==="
SECONDS = 240  # of all recipes


@dataclass(frozen=True)
class Run:
    """What the blocks of each recipe have printed, by its title, and what the shell complained of.

    The blocks after a failure are left out.
    """

    printed: dict[str, list[str]]
    complaint: str


@pytest.fixture(scope="module")
def run(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run all recipes in one shell, which ends at the first command that fails."""
    for each in ("jq", "node"):
        program(each)
    folder = tmp_path_factory.mktemp("recipes")
    if NODE.exists():
        (folder / "node_modules").symlink_to(NODE)
    script = ["set -euo pipefail\n"]
    for recipe in RECIPES:
        for name, text in recipe.files.items():
            (folder / name).write_text(text)
        script += [f"{block.commands}echo '{END}'\n" for block in recipe.blocks]
    places = {
        "http://127.0.0.1:5000": str(running.http.base_url).rstrip("/"),
        "amqp://user:password@127.0.0.1:5672/%2F": address_of_broker(running.stack.environment),
    }
    commands = "".join(script)
    for shown, real in places.items():
        assert commands.count(shown) == 1
        commands = commands.replace(shown, real)
    blocks, complaint = shell(commands, folder)
    return Run(by_recipe(blocks), complaint)


def shell(commands: str, folder: Path) -> tuple[list[str], str]:
    """Run commands as a terminal does; return what is printed between the ends, and the errors."""
    (folder / "recipes.sh").write_text(commands)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with child(
        [program("bash"), "recipes.sh"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said, complaint = process.communicate(timeout=SECONDS)
    *whole, _ = said.split(f"{END}\n")
    return whole, complaint


def by_recipe(blocks: list[str]) -> dict[str, list[str]]:
    """Return what blocks have printed by the title of their recipe."""
    found = {}
    for recipe in RECIPES:
        found[recipe.title], blocks = blocks[: len(recipe.blocks)], blocks[len(recipe.blocks) :]
    return found


@pytest.mark.parametrize("recipe", TITLED)
def test_a_recipe_prints_what_the_page_shows(recipe: Recipe, run: Run) -> None:
    outputs = run.printed[recipe.title]
    assert len(outputs) == len(recipe.blocks), f"it, or one before it, has failed: {run.complaint}"
    for block, output in zip(recipe.blocks, outputs, strict=True):
        assert prints(block, output), f"{block.commands}\nhas printed\n{output}"


def test_no_command_complains(run: Run) -> None:
    assert run.complaint == ""
