import pytest

from app.jobs.store import open_store
from app.protocol.types import JobStatus
from devstack.program import ProgramError
from devstack.run_module import run_module

COMMAND = "app.cli.example_data"


def test_the_examples_are_stored_once(environment, settings, datasets):
    assert run_module(environment, COMMAND).splitlines() == [
        "Stored the data set 'diabetes': 442 rows",
        "Added the cancelled job 'cancelled-example'",
        "Added the batch job 'scored-example'",
        "Added the model 'deleted-example'",
        "Added the name 'named-example'",
        "Added the expired key 'example1'",
        "Added the expired key 'example2'",
    ]
    assert run_module(environment, COMMAND) == ""

    assert datasets.exists("diabetes")
    store = open_store(settings)
    assert store.get("cancelled-example").state is JobStatus.CANCELLED
    assert store.get("scored-example").state is JobStatus.COMPLETED
    store.close()


def test_a_bucket_that_is_not_there_is_an_error_in_one_line(environment):
    with pytest.raises(ProgramError, match=r"failed:\nError: S3 refused data set diabetes.*\n$"):
        run_module({**environment, "S3_BUCKET_NAME": "nowhere"}, COMMAND)
