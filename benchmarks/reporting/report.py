"""The documents: tables go between its markers, the prose around them stays as it is written."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.reporting import results
from benchmarks.reporting.results import Row, Section
from devstack.layout import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
#: The sections whose tables stand elsewhere.
ELSEWHERE = {"serving": ROOT / "docs" / "serving.md"}
CHART = ROOT / "docs" / "performance.svg"

#: Makes Markdown of a section's name and rows.
Render = Callable[[str, list[Row]], str]


def write(render: Render) -> set[Path]:
    """Put every section measured so far into its document; return the documents."""
    documents = set()
    for name, section in results.load().items():
        document = ELSEWHERE.get(name, DOCUMENT)
        body = render(name, section["rows"])
        text = replace(document.read_text(), name, f"{body}\n\n{origin(section)}")
        document.write_text(text)
        documents.add(document)
    return documents


def origin(section: Section) -> str:
    """Say in one line when a section was measured, how, and on what."""
    settings = ", ".join(f"{name} {value}" for name, value in section["settings"].items())
    machine = section["machine"]
    where = f"{machine['machine']}, {machine['system']}; {machine['versions']}"
    return f"<sub>{section['at'][:10]}; {settings}; {where}.</sub>"


def replace(text: str, name: str, body: str) -> str:
    """Replace what stands between a section's markers; raises `ValueError` if they are missing."""
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}{body}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"the document of {name} needs one pair of lines {begin} and {end}")
    return changed


def table(rows: list[Row]) -> str:
    """Render rows as Markdown; the keys are the heads, in the order of their first row.

    Numbers are aligned to the right.
    """
    heads = list(dict.fromkeys(head for row in rows for head in row))
    rules = ["--:" if all(numeric(row.get(head)) for row in rows) else "---" for head in heads]
    lines = [heads, rules, *([cell(row.get(head)) for head in heads] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def numeric(value: Any) -> bool:
    """Tell whether a value is a number, or a gap among numbers."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def cell(value: Any) -> str:
    """Write a value; a bar in it would end the cell."""
    return "-" if value is None else str(value).replace("|", "\\|")
