"""What a command prints: its result on stdout, all else on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

Row = Sequence[Any]
LEAST_WIDTH = 14  # of a column with longer cells, such as states
_BETWEEN = 2


def plain(value: Any) -> str:
    """Return a value as one line: `-` for nothing, escapes for characters that cannot be seen."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else _number(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object: on a line of its own, or indented where a person reads it."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None, default=str))


def say(text: str) -> None:
    """Tell the user something that is no result."""
    click.echo(plain(text), err=True)


def print_table(names: Sequence[str], rows: Iterable[Row]) -> None:
    """Print rows below their heading, with rich on a terminal where it is installed.

    Nothing is cut: where the terminal is too narrow for cells of several lines, each row is printed
    as names and values.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    if not (sys.stdout.isatty() and _print_rich(names, cells)):
        _print_columns([list(names), *cells])


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, one a line; those without a value are left out."""
    shown = {name: plain(value) for name, value in fields.items() if value not in (None, [], {})}
    width = max(map(len, shown), default=0)
    for name, text in shown.items():
        click.echo(f"{name:{width}}  {text}")


def _print_columns(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _print_rich(names: Sequence[str], cells: Sequence[Row]) -> bool:
    """Print a table with rich; return False if it is not installed."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    console = Console()
    if _least_width([names, *cells]) > console.width:
        _print_blocks(names, cells)
        return True
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold", min_width=min(len(name), LEAST_WIDTH))
    table.columns[0].no_wrap = True  # ids are to be copied
    for row in cells:
        table.add_row(*map(Text, row))  # never markup: others chose these texts
    console.print(table)
    return True


def _least_width(lines: Sequence[Row]) -> int:
    """Return how wide a terminal has to be for a table: the first column has whole ids."""
    first, *others = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return first + sum(min(each, LEAST_WIDTH) + _BETWEEN for each in others)


def _print_blocks(names: Sequence[str], cells: Sequence[Row]) -> None:
    for place, row in enumerate(cells):
        if place:
            click.echo()
        told = {name.lower(): cell for name, cell in zip(names, row, strict=True) if cell != "-"}
        print_fields(told)
