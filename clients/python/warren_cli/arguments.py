"""The types of arguments and options: none is empty, as that of an unset variable is."""

import math
import os
import re
from pathlib import Path

import click

_VERSION = re.compile(r"v?[1-9][0-9]{0,8}")
_REFERENCE = re.compile(r"[A-Za-z0-9._~@:-]+")


def named(text: str) -> str:
    """Return the name or the id of a thing. Raises `click.BadParameter` if it is empty."""
    if not text.strip():
        raise click.BadParameter("it is empty; is a variable of the shell not set?")
    return text


def model_reference(text: str) -> str:
    """Return a reference of a model. Raises `click.BadParameter` for what cannot be one.

    A header names the model, in which commas and equals signs have a meaning.
    """
    if not _REFERENCE.fullmatch(named(text)):
        raise click.BadParameter(
            f"{text!r} is no model: a reference has letters, digits and . _ - ~ @ : only"
        )
    return text


def weight(text: str) -> tuple[int, float]:
    """Return a version and its weight, of `v1=90` or `1=90`. Raises `click.BadParameter`."""
    version, _, number = text.partition("=")
    found = _number(number)
    if not _VERSION.fullmatch(version) or not 0 <= found < math.inf:
        raise click.BadParameter(f"{text!r} is no VERSION=WEIGHT, such as v2=10")
    return int(version.removeprefix("v")), found


def share(text: str) -> float:
    """Return a share of calls. Raises `click.BadParameter` unless it is from 0 to 1."""
    found = _number(text)
    if not 0 <= found <= 1:
        raise click.BadParameter(f"{text!r} is no share from 0 to 1, such as 0.1")
    return found


def seconds(text: str) -> float:
    """Return a length of time. Raises `click.BadParameter` unless it is a number from 0 on."""
    number = _number(text)
    if not number >= 0:
        raise click.BadParameter(f"{text!r} is no number of seconds from 0 on")
    return number


def output_file(text: str) -> Path:
    """Return the path of a file to write. Raises `click.BadParameter` if that cannot be done."""
    path = Path(named(text))
    if path.is_dir():
        raise click.BadParameter(f"{text} is a folder; name a file")
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"the folder {path.parent} may not be written to")
    return path


def _number(text: str) -> float:
    """Return a number, nan if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
