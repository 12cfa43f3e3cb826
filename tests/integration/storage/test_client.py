import io
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from urllib3 import HTTPResponse

from app import errors
from app.models.record import StoredFile
from app.settings import Settings
from app.storage.client import S3Client, map_s3_errors
from app.storage.datasets import DatasetStore
from app.storage.model_files import ModelStore
from tests.support.files import CSV, MIB, get, put_trained, put_uploaded, stream


@dataclass
class Bucket:
    """All that is done with a bucket."""

    client: S3Client
    datasets: DatasetStore
    models: ModelStore


def opened(settings):
    client = S3Client(settings)
    return Bucket(
        client,
        DatasetStore(client, settings.s3_path_name),
        ModelStore(client, settings.s3_model_path_name),
    )


def test_the_bucket_is_there(settings):
    S3Client(settings).check()


def test_a_bucket_that_is_not_there_is_an_error(settings):
    with pytest.raises(errors.WarrenError, match="bucket nowhere"):
        S3Client(settings.model_copy(update={"s3_bucket_name": "nowhere"})).check()


CALLS = {
    "check": lambda made, folder: made.client.check(),
    "put a data set": lambda made, folder: made.datasets.put("d", io.BytesIO(CSV)),
    "put a large data set": lambda made, folder: made.datasets.put("d", stream(9 * MIB)),
    "exists": lambda made, folder: made.datasets.exists("d"),
    "download": lambda made, folder: made.datasets.download("d", str(folder / "x.csv")),
    "list": lambda made, folder: made.datasets.list(),
    "put_trained": lambda made, folder: put_trained(made.models),
    "put_uploaded": lambda made, folder: put_uploaded(made.models),
    "a large put_uploaded": lambda made, folder: put_uploaded(made.models, bytes(9 * MIB)),
    "delete": lambda made, folder: made.models.delete("models/m/1/"),
    "delete_attempt": lambda made, folder: made.models.delete_attempt("m", 1),
    "fetched": lambda made, folder: get(made.models, StoredFile("models/m/1/", "a" * 64)),
    "get_manifest": lambda made, folder: made.models.get_manifest("models/m/1/"),
}


def test_a_server_that_is_stopped_cannot_be_reached_and_one_that_is_back_can(
    settings, s3_server, tmp_path
):
    made = opened(settings)
    made.datasets.put("d", io.BytesIO(CSV))
    s3_server.stop()
    try:
        with ThreadPoolExecutor(len(CALLS)) as all_at_once:  # each is tried again and again
            asked = [all_at_once.submit(call, made, tmp_path) for call in CALLS.values()]
        for each in asked:
            assert isinstance(each.exception(), errors.StorageUnavailable)
    finally:
        s3_server.start()

    made.datasets.download("d", str(tmp_path / "fetched.csv"))
    assert (tmp_path / "fetched.csv").read_bytes() == CSV


@pytest.mark.parametrize("name", CALLS)
def test_a_server_that_refuses_the_key_is_unavailable(name, settings, bucket, tmp_path):
    stranger = Settings(
        _env_file=None,
        **{
            **settings.model_dump(),
            "aws_secret_access_key": "not the key, but a long one",
            "rabbitmq_password": "x",
            "database_url": "sqlite://",
        },
    )

    with pytest.raises(errors.StorageUnavailable) as caught:
        CALLS[name](opened(stranger), tmp_path)

    assert "not the key" not in caught.value.detail


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (507, "XMinioStorageFull", errors.StorageFull),
        (400, "XMinioAdminBucketQuotaExceeded", errors.StorageFull),
        (403, "QuotaExceeded", errors.StorageFull),
        (403, "AccessDenied", errors.StorageUnavailable),
        (404, "NoSuchBucket", errors.StorageUnavailable),
        (404, "NoSuchKey", errors.NotFound),
    ],
)
def test_what_a_server_says_becomes_an_error_of_our_own(status, code, error):
    said = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    with pytest.raises(error), map_s3_errors("model m"):
        raise ClientError(said, "PutObject")


def test_a_body_that_tls_breaks_off_becomes_an_error_of_our_own():
    class Broken(io.BytesIO):
        def read(self, *_):
            raise ssl.SSLError(1, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] bad record mac")

    body = StreamingBody(HTTPResponse(Broken(), preload_content=False), 10)

    said = "bad record mac"
    with pytest.raises(errors.StorageUnavailable, match=said), map_s3_errors("model m"):
        body.read()


def test_an_empty_bundle_of_authorities_is_none(settings, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", "")

    S3Client(settings.model_copy(update={"aws_ca_bundle": ""})).check()
