"""Store the data of the examples in the API's documentation: `python -m app.cli.example_data`."""

import io
import tempfile
from pathlib import Path

import click

from app import errors
from app.auth.audit import Action, Thing, begin
from app.auth.store import add_example_key
from app.cli.actor import operator
from app.database.engine import Engine
from app.jobs import parts
from app.jobs.store import JobStore, open_store
from app.models.aliases import Wanted, set_alias
from app.models.endpoint import EndpointSpec
from app.models.registry import CachedModelRegistry
from app.observability import logs
from app.protocol.batch_request import BatchRequest
from app.protocol.examples import (
    CANCELLED_JOB_ID,
    DATASET_ID,
    DELETED_ALIAS,
    DELETED_MODEL_ID,
    MODEL_ALIAS,
    MODEL_NAME,
    REVOKED_KEY_ID,
    ROTATED_KEY_ID,
    SCORED_JOB_ID,
    TRAIN_EXAMPLE,
)
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobKind
from app.settings import Settings
from app.settings.refused import ends_for_wrong_settings
from app.storage.batch_files import BatchFiles
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore


@click.command()
def main() -> None:
    """Store the data set "diabetes", two ended jobs, models, a name and two expired keys."""
    with ends_for_wrong_settings():
        settings = Settings()
    logs.configure("WARNING")
    try:
        s3 = S3Client(settings)
        jobs = open_store(settings)
        if rows := store_dataset(DatasetStore(s3, settings.s3_path_name), jobs.engine):
            click.echo(f"Stored the data set '{DATASET_ID}': {rows} rows")
        if add_cancelled_job(jobs):
            click.echo(f"Added the cancelled job '{CANCELLED_JOB_ID}'")
        if add_scored_job(jobs, BatchFiles(s3, settings.s3_batch_path_name)):
            click.echo(f"Added the batch job '{SCORED_JOB_ID}'")
        if add_model(jobs):
            click.echo(f"Added the model '{DELETED_MODEL_ID}'")
        if add_name(jobs):
            click.echo(f"Added the name '{MODEL_NAME}'")
        for key_id in (ROTATED_KEY_ID, REVOKED_KEY_ID):
            if add_example_key(jobs.engine, key_id):
                click.echo(f"Added the expired key '{key_id}'")
    except errors.WarrenError as error:
        raise click.ClickException(error.detail) from None


def store_dataset(datasets: DatasetStore, engine: Engine) -> int:
    """Store the data set of the examples; return its rows, or 0 if it was there."""
    if datasets.exists(DATASET_ID):
        return 0
    from sklearn.datasets import load_diabetes  # a second, of which only the first start needs it

    frame = load_diabetes(as_frame=True).frame
    begin(engine, operator(), Action.CREATE, Thing.DATASET, DATASET_ID)
    datasets.put(DATASET_ID, io.BytesIO(frame.to_csv(index=False).encode()))
    return len(frame)


def add_cancelled_job(jobs: JobStore) -> bool:
    """Add the training that the example of a cancel names; return False if it was there.

    It is never published, so no consumer runs it. A second cancel of it succeeds, too.
    """
    asked = TrainRequest.model_validate({**TRAIN_EXAMPLE, "model_id": CANCELLED_JOB_ID})
    request = asked.model_dump()
    if not jobs.create(CANCELLED_JOB_ID, JobKind.TRAIN, asked.dataset_id, request, named=True):
        return False
    return jobs.cancel(CANCELLED_JOB_ID)


def add_scored_job(jobs: JobStore, files: BatchFiles) -> bool:
    """Add the batch job whose result the example downloads; return False if it was there.

    It has one row, and its model is the one that the example of a deletion names.
    """
    asked = BatchRequest(model_id=DELETED_MODEL_ID, dataset_id=DATASET_ID)
    request, folder = asked.model_dump(mode="json", exclude_none=True), files.folder(SCORED_JOB_ID)
    if not jobs.create(SCORED_JOB_ID, JobKind.BATCH, DATASET_ID, request, folder=folder):
        return False
    attempt = jobs.claim(SCORED_JOB_ID, "example-data")
    if attempt is None:
        return False
    key = files.result_key(SCORED_JOB_ID, attempt, asked.format)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "result"
        path.write_text("prediction\n152.13\n")
        sha256, size = files.put(key, path)
    result = {
        "format": asked.format,
        "columns": ["prediction"],
        "size": size,
        "rows": 1,
        "scored": 1,
        "not_scored": 0,
        "problems": [],
    }
    return parts.complete_batch(jobs.engine, SCORED_JOB_ID, attempt, key, sha256, result, size)


def add_model(jobs: JobStore) -> bool:
    """Add the model that the example of a deletion names; return False if it was there.

    It is an endpoint that is never asked. A second deletion of it succeeds, too.
    """
    nowhere = EndpointSpec.model_validate({"kind": "endpoint", "url": "http://127.0.0.1:1/"})
    return CachedModelRegistry(jobs).register(DELETED_MODEL_ID, nowhere)


def add_name(jobs: JobStore) -> bool:
    """Add the name of the examples with two versions and two aliases; False if it was there.

    The versions are endpoints that are never asked.
    """
    by, registry = operator(), CachedModelRegistry(jobs)
    nowhere = EndpointSpec.model_validate({"kind": "endpoint", "url": "http://127.0.0.1:1/"})
    for number in (1, 2):
        model_id = f"{MODEL_NAME}-{number}"
        if not registry.register(model_id, nowhere, by=by, name=MODEL_NAME):
            return False
        wanted = Wanted(number, "an example")
        set_alias(jobs.engine, MODEL_NAME, MODEL_ALIAS, wanted, by, lambda _: None)
    wanted = Wanted(1, "an example")
    set_alias(jobs.engine, MODEL_NAME, DELETED_ALIAS, wanted, by, lambda _: None)
    return True


if __name__ == "__main__":
    main()
