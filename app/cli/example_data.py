"""Store the data of the examples in the API's documentation: `python -m app.cli.example_data`."""

import io

import click

from app import errors
from app.jobs.store import JobStore, open_store
from app.observability import logs
from app.protocol.examples import CANCELLED_JOB_ID, DATASET_ID, TRAIN_EXAMPLE
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobKind
from app.settings import Settings
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore


@click.command()
def main() -> None:
    """Store the data set "diabetes" and a cancelled training, unless they are there."""
    settings = Settings()
    logs.configure("WARNING")
    try:
        if rows := store_dataset(DatasetStore(S3Client(settings), settings.s3_path_name)):
            click.echo(f"Stored the data set '{DATASET_ID}': {rows} rows")
        if add_cancelled_job(open_store(settings)):
            click.echo(f"Added the cancelled job '{CANCELLED_JOB_ID}'")
    except errors.WarrenError as error:
        raise click.ClickException(error.detail) from None


def store_dataset(datasets: DatasetStore) -> int:
    """Store the data set of the examples; return its rows, or 0 if it was there."""
    if datasets.exists(DATASET_ID):
        return 0
    from sklearn.datasets import load_diabetes  # a second, of which only the first start needs it

    frame = load_diabetes(as_frame=True).frame
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


if __name__ == "__main__":
    main()
