"""Delete the files of models that nobody needs, and the parts of uploads that were not finished."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any

from app import errors
from app.storage.client import S3Client, map_s3_errors
from app.storage.model_files import ModelStore

BATCH = 200  # folders that are looked up together


def delete_unneeded_folders(
    client: S3Client,
    prefix: str,
    older_than: float,
    unneeded: Callable[[Mapping[str, str]], set[str]],
    batch: int = BATCH,
) -> int:
    """Delete the folders of models below `prefix` that are unneeded; return how many.

    Only folders whose newest file is older than `older_than` seconds are looked at. `unneeded` gets
    up to `batch` of their keys with the ids of their models, and returns the keys to delete.
    """
    store, deleted, old = ModelStore(client, prefix), 0, dict[str, str]()
    for key, model_id in _old_folders(client, prefix, timedelta(seconds=older_than)):
        old[key] = model_id
        if len(old) == batch:
            deleted += _delete(store, unneeded(old))
            old = {}
    return deleted + (_delete(store, unneeded(old)) if old else 0)


def abort_old_uploads(client: S3Client, prefix: str, older_than: float) -> int:
    """Delete the parts of uploads that began more than `older_than` seconds ago; return how many.

    Their producer or consumer was killed. S3 keeps the parts otherwise, and lists no object.
    """
    aborted = 0
    # NotFound: an upload has just ended, or (of gofakes3) there never was one in this bucket.
    with suppress(errors.NotFound), map_s3_errors("an unfinished upload"):
        pages = client.boto.get_paginator("list_multipart_uploads").paginate(
            Bucket=client.bucket, Prefix=prefix
        )
        for page in pages:
            began_before = _time_of(page) - timedelta(seconds=older_than)
            for each in page.get("Uploads", ()):
                if each["Initiated"] < began_before:
                    client.boto.abort_multipart_upload(
                        Bucket=client.bucket, Key=each["Key"], UploadId=each["UploadId"]
                    )
                    aborted += 1
    return aborted


def _delete(store: ModelStore, keys: set[str]) -> int:
    for key in keys:
        store.delete(key)
    return len(keys)


def _old_folders(client: S3Client, prefix: str, age: timedelta) -> Iterator[tuple[str, str]]:
    """Yield the keys and model ids of folders, `{prefix}{model_id}/{attempt}/`, of that age."""
    for key, files in groupby(_files(client, prefix), lambda file: file[0].rpartition("/")[0]):
        parts = key.removeprefix(prefix).split("/")
        if min(ages for _, ages in files) > age and len(parts) == 2 and all(parts):
            yield f"{key}/", parts[0]


def _files(client: S3Client, prefix: str) -> Iterator[tuple[str, timedelta]]:
    """Yield the key and the age of each file, in the order of the keys."""
    with map_s3_errors("the models"):
        pages = client.boto.get_paginator("list_objects_v2").paginate(
            Bucket=client.bucket, Prefix=prefix
        )
        for page in pages:
            now = _time_of(page)
            for entry in page.get("Contents", ()):
                yield entry["Key"], now - entry["LastModified"]


def _time_of(page: Mapping[str, Any]) -> datetime:
    """Return the server's time of an answer, because the times of files are its own, too."""
    date = page["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)
