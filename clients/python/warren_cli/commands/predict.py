"""`warren predict`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warren_cli import exit_codes
from warren_cli.arguments import model_reference
from warren_cli.command import Command
from warren_cli.failures import Failure
from warren_cli.session import Session
from warren_cli.typed_rows import JSON_LINES, Rows, rows_of

if TYPE_CHECKING:
    from warren_client import Warren

_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@click.command(cls=Command)
@click.argument("model", type=model_reference)
@click.argument("rows", nargs=-1, metavar="ROWS")
@click.option("--row", "pairs", is_flag=True, help="ROWS are the values of a row, as NAME=VALUE.")
@click.option("--image", "images", is_flag=True, help="ROWS are files of images.")
@click.option("--proba", is_flag=True, help="Print the probabilities of the labels, too.")
@click.pass_obj
def predict(
    session: Session, model: str, rows: tuple[str, ...], pairs: bool, images: bool, proba: bool
) -> None:
    """Ask MODEL about ROWS: a file of CSV, JSON or JSON lines, - for stdin, or JSON itself.

    MODEL is an id, `latest`, a name, NAME:VERSION or NAME@ALIAS. Prints a line for each row.
    Columns that the model does not take are left out. A model of images is asked by
    `--image FILE...`, and prints a line for each file. For large tables there is `warren score`.
    """
    from warren_client.errors import TooLarge

    if images and (pairs or not rows):
        raise click.UsageError("--image takes one or more files, and no --row")
    if images and (missing := [file for file in rows if not Path(file).is_file()]):
        raise click.UsageError(f"there is no file {missing[0] or 'without a name'}")
    asked = None if images else rows_of(rows, pairs=pairs)
    with session.client() as warren:
        try:
            if asked is None:
                answered, answers = _ask_about_images(warren, model, rows)
            else:
                answered, answers = _ask(warren, model, asked)
        except TooLarge as error:
            more = f"; `warren score {model} FILE` takes tables of any size"
            raise Failure(error.detail + more, type=error.type) from None
    session.give(
        {**answered, "predictions": answers},
        [_text(each["prediction"]) for each in answers],
        lambda: _show(answers, proba=proba),
    )


def _ask(warren: Warren, model: str, rows: Rows) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return which model answered, and an answer for each row."""
    from warren_client.calls import Call

    headers = {
        "Content-Type": rows.media_type,
        "Accept": JSON_LINES,
        _ATTRIBUTES: f"model_id={model},extra=ignore",
    }
    call = Call("POST", "/invocations", headers=headers, body=rows.body)
    answer = warren.transport.send(call)
    told = [part.partition("=") for part in answer.headers.get(_ATTRIBUTES, "").split(",")]
    answered = {name: value for name, _, value in told if name in ("model_id", "model")}
    answers = [json.loads(line) for line in answer.text.split("\n") if line]
    return answered, answers


def _ask_about_images(
    warren: Warren, model: str, files: Sequence[str]
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return which model answered, and an answer for each file."""
    from warren_client.blocking.predictions import predicted
    from warren_client.images import images_of

    record = warren.models[model].record
    if record.kind != "endpoint" and not record.takes_images:
        raise Failure(f"{model} takes rows, and --image gives images", exit_codes.USAGE)
    found = predicted(warren.transport, record, images_of([Path(file) for file in files]), None)
    pairs = zip(found.predictions, found.probabilities, strict=True)
    answers = [
        {"prediction": label} if shares is None else {"prediction": label, "pred_proba": shares}
        for label, shares in pairs
    ]
    return {"model_id": record.model_id}, answers


def _show(answers: list[dict[str, Any]], *, proba: bool) -> None:
    for each in answers:
        told = f"\t{json.dumps(each.get('pred_proba'))}" if proba else ""
        click.echo(_text(each["prediction"]) + told)


def _text(prediction: Any) -> str:
    """Return a label without quotes, and all else as JSON, in which no digit is lost."""
    if isinstance(prediction, str) and prediction.isprintable():
        return prediction
    return json.dumps(prediction)
