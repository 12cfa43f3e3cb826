"""The files of batch jobs that have ended are deleted, job by job."""

import pytest
from botocore.awsrequest import AWSResponse

from app.jobs import parts
from app.producer.batch_sweep import clean_up_batches
from app.protocol.types import JobKind
from app.storage.batch_files import BatchFiles
from app.storage.client import S3Client
from tests.support.files import keys

LOCKED = "batch/locked/upload"
REFUSAL = f"""<DeleteResult><Error><Key>{LOCKED}</Key><Code>AccessDenied</Code>
<Message>the object is locked</Message></Error></DeleteResult>""".encode()


class Raw:
    """The body of an answer."""

    def stream(self, **_):
        yield REFUSAL


@pytest.fixture
def client(settings):
    return S3Client(settings)


def ended(store, client, job_id):
    assert store.create(job_id, JobKind.BATCH, "d", {}, folder=f"batch/{job_id}/")
    assert store.cancel(job_id)
    client.boto.put_object(Bucket=client.bucket, Key=f"batch/{job_id}/upload", Body=b"x")


def test_a_file_that_s3_keeps_holds_up_no_other_job(store, client, s3, bucket, caplog):
    for job_id in ("other", "locked"):
        ended(store, client, job_id)

    def keep_locked(request, **_):
        if LOCKED.encode() in request.body:
            return AWSResponse(request.url, 200, {}, Raw())
        return None

    client.boto.meta.events.register("before-send.s3.DeleteObjects", keep_locked)

    files = BatchFiles(client, "batch/")
    assert clean_up_batches(store, files) == 1
    assert clean_up_batches(store, files) == 0

    assert keys(s3, bucket) == [LOCKED]
    assert [each.job_id for each in parts.leftovers(store.engine)] == ["locked"]
    assert "S3 keeps batch/locked/upload: the object is locked" in caplog.text
