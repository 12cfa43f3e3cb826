"""Score a whole table: send it, wait for the batch job, and fetch the result."""

from __future__ import annotations

import csv
import io
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warren_client.asynchronous.datasets import AsyncDataset
from warren_client.asynchronous.primitives import work
from warren_client.calls import UPLOAD_SECONDS, Call, parameters, with_json
from warren_client.records import member
from warren_client.tables import table_of

if TYPE_CHECKING:
    import pandas as pd

    from warren_client.asynchronous.job import AsyncJob
    from warren_client.asynchronous.warren import AsyncWarren
    from warren_client.progress import Progress

PATH = "/predict/batch"


async def score_table(
    warren: AsyncWarren,
    model_id: str,
    table: pd.DataFrame | str | Path | AsyncDataset,
    out: str | Path | AsyncDataset | None,
    options: dict[str, Any],
    *,
    timeout: float | None,
    progress: Progress,
) -> AsyncJob:
    """Score a table with a model and wait; see `AsyncModel.score`."""
    path = None if out is None or isinstance(out, AsyncDataset) else Path(out)
    if options["format"] is None and path and path.suffix == ".parquet":
        options = {**options, "format": "parquet"}
    given = {name: value for name, value in options.items() if value not in (None, [])}
    call = await _call(model_id, table, given)
    accepted = await warren.transport.json(call)
    job = await warren.jobs[member(accepted, "message", "job_id")]
    await job.wait(timeout, progress)
    if path:
        await job.download(path)
    elif isinstance(out, AsyncDataset):
        with tempfile.TemporaryDirectory() as folder:
            file = await job.download(Path(folder) / "result")
            out.record = (await warren.datasets.upload(file, out.id)).record
    return job


async def _call(
    model_id: str, table: pd.DataFrame | str | Path | AsyncDataset, options: dict[str, Any]
) -> Call:
    """Return the call that asks for the batch job; it makes one job though it is sent twice."""
    asked = {"model_id": model_id, **options}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    if isinstance(table, AsyncDataset):
        return with_json("POST", PATH, {**asked, "dataset_id": table.id}, key)
    found = await work(lambda: table_of(table))
    if "columns" in asked:
        asked["columns"] = _line(asked["columns"])
    params = {**parameters(asked), **found.params}
    headers = {"Content-Type": found.media_type, **key}
    return Call("POST", PATH, params, headers, found.content, seconds=UPLOAD_SECONDS)


def _line(names: list[str]) -> str:
    """Return names as the query takes them: as a line of a CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()
