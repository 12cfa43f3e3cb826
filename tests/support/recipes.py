"""The recipes of a page of the documentation: its blocks of code, and what they print."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_FENCES = re.compile(r"^```(.*?)^```\n", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"(?://|#) ([\w.-]+)\n")
_ID_OR_NUMBER = re.compile(r"\b[0-9a-f]{32}\b|-?\b\d+(\.\d+)?(e[+-]?\d+)?\b")
_ANY_LINES = "..."


@dataclass
class Block:
    """A block of shell commands. What it prints is `json` or `text`, or is not shown."""

    commands: str
    language: str | None = None
    shown: str = ""


@dataclass
class Recipe:
    """What is below a heading: files to save, and blocks to run, in their order."""

    title: str
    files: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)


def recipes(page: str) -> list[Recipe]:
    """Return the recipes of a page; what comes before the first heading has no title.

    Blocks of `sh` are run. One of `json` or `text` is what the commands before it print. One of
    another language is a file, whose name is in the comment of its first line.
    """
    found = [Recipe("")]
    for place, part in enumerate(_FENCES.split(page)):
        if place % 2 == 0:
            found += map(Recipe, _HEADING.findall(part))
            continue
        language, _, text = part.partition("\n")
        if language == "sh":
            found[-1].blocks.append(Block(text))
        elif language in ("json", "text"):
            found[-1].blocks[-1].language, found[-1].blocks[-1].shown = language, text
        elif name := _FILE.match(text):
            found[-1].files[name[1]] = text
        else:
            raise AssertionError(f"{found[-1].title}: a file needs its name in its first line")
    return found


def prints(block: Block, printed: str) -> bool:
    """Tell whether commands have printed what is shown, but for ids and numbers.

    JSON has a value in each line. In a text, a line of three dots stands for any number of lines.
    """
    if block.language == "json":
        shown, found = ([*map(json.loads, each.splitlines())] for each in (block.shown, printed))
        return _form(shown) == _form(found)
    lines = [
        ".*" if each == _ANY_LINES else re.escape(each)
        for each in _masked(block.shown).splitlines()
    ]
    pattern = "\n".join(lines).replace(".*\n", "(?:.*\n)*")
    return re.fullmatch(pattern, _masked(printed).rstrip("\n")) is not None


def _masked(text: str) -> str:
    return _ID_OR_NUMBER.sub("N", text)


def _form(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _form(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_form(each) for each in value]
    return _masked(value) if isinstance(value, str) else type(value) in (int, float) or value
