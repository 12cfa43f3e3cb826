"""`warren models upload`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from warren_cli import console
from warren_cli.arguments import named
from warren_cli.command import Command
from warren_cli.records import as_json, model_fields
from warren_cli.session import Session


@click.command(cls=Command)
@click.argument("file", type=named)
@click.option(
    "--manifest", metavar="FILE", type=named, help="What an ONNX file takes and returns: JSON."
)
@click.option("--name", type=named, help="The name of which the model becomes the next version.")
@click.option("--id", "model_id", type=named, help="The id; without one the content makes it.")
@click.pass_obj
def upload(
    session: Session, file: str, manifest: str | None, name: str | None, model_id: str | None
) -> None:
    """Register FILE: an ONNX file with its manifest, or an MLflow model.

    A model of MLflow is a folder with an ONNX flavour, or a zip of one. The same model again is the
    same one.
    """
    path, said = Path(file), _read(manifest)
    if not path.exists():
        raise click.UsageError(f"there is no file {file}")
    if said is None and path.suffix == ".onnx":
        raise click.UsageError("an ONNX file needs --manifest, which tells what it takes")
    with session.client() as warren:
        record = warren.models.upload(path, said, name=name, model_id=model_id).record
    session.give(
        as_json(record), record.model_id, lambda: console.print_fields(model_fields(record))
    )


def _read(manifest: str | None) -> dict[str, Any] | None:
    """Return the object in a file. Raises `click.UsageError`."""
    if manifest is None:
        return None
    try:
        found = json.loads(Path(manifest).read_text("utf-8"))
    except OSError as error:
        raise click.UsageError(f"--manifest: {manifest}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(f"--manifest: {manifest} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"--manifest: {manifest} is no JSON object")
    return found
