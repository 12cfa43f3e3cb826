"""Which files the sweeps of the bucket delete."""

import pytest

from app import errors
from app.settings import Settings
from app.storage.client import S3Client
from app.storage.unneeded_files import abort_old_uploads, delete_unneeded_folders
from tests.support.files import keys, put_trained, put_uploaded

NOW = -60.0  # all files are older
DAY = 86_400.0


@pytest.fixture
def client(settings):
    return S3Client(settings)


@pytest.mark.parametrize("batch", [1, 2, 200])
def test_only_what_is_unneeded_is_deleted(client, models, s3, bucket, batch):
    gone = [put_trained(models, attempt).key for attempt in (1, 3)]
    kept = [put_trained(models, 2, runtime="scikit-learn").key, put_uploaded(models).key]
    asked = {}

    def unneeded(folders):
        assert len(folders) <= batch
        asked.update(folders)
        return set(gone) & folders.keys()

    assert delete_unneeded_folders(client, "models/", NOW, unneeded, batch) == 2

    assert asked == dict.fromkeys([*gone, *kept], "m")
    assert {key.rpartition("/")[0] + "/" for key in keys(s3, bucket)} == set(kept)


def test_what_is_not_old_is_not_asked_about(client, models, s3, bucket):
    put_trained(models)

    assert delete_unneeded_folders(client, "models/", DAY, lambda folders: folders.keys()) == 0

    assert len(keys(s3, bucket)) == 2


@pytest.mark.parametrize(
    "key", ["models/readme.txt", "models/m/model.onnx", "models/a/b/c/model.onnx", "data/d.csv"]
)
def test_files_of_others_stay(client, s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    assert delete_unneeded_folders(client, "models/", NOW, lambda folders: set(folders)) == 0

    assert keys(s3, bucket) == [key]


def test_the_parts_of_old_uploads_are_deleted(client, s3, bucket):
    assert abort_old_uploads(client, "models/", NOW) == 0
    for key in ("models/m/1/model.onnx", "data/d.csv"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)

    assert abort_old_uploads(client, "models/", DAY) == 0
    assert abort_old_uploads(client, "models/", NOW) == 1
    assert abort_old_uploads(client, "models/", NOW) == 0
    assert abort_old_uploads(client, "data/", NOW) == 1


def test_a_bucket_that_is_away_is_unavailable(settings):
    away = Settings(**{**settings.model_dump(), "s3_bucket_name": "nowhere"}, _env_file=None)
    for sweep in (
        lambda: delete_unneeded_folders(S3Client(away), "models/", NOW, lambda folders: set()),
        lambda: abort_old_uploads(S3Client(away), "models/", NOW),
    ):
        with pytest.raises(errors.StorageUnavailable):
            sweep()
