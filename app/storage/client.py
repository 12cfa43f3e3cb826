"""S3: data sets and models. The only module that knows boto3."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from app import errors
from app.models.manifest import OnnxManifest, TrainedManifest
from app.settings import Settings

DEFAULT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=20,
    retries={"mode": "standard", "max_attempts": 3},
    s3={"addressing_style": "path"},
    max_pool_connections=32,
)
# For whom somebody waits: a server that is silent is given up before they go, after six seconds.
LOW_LATENCY_CONFIG = DEFAULT_CONFIG.merge(
    Config(read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
)
_ONNX, _MANIFEST = "model.onnx", "metadata.json"
# Parts in the calling thread, one after another: memory stays at two parts of 8 MiB.
_ONE_BY_ONE = TransferConfig(use_threads=False)


@dataclass(frozen=True)
class Dataset:
    """A data set in the bucket; `size` in bytes."""

    id: str
    size: int
    modified: datetime


class Storage:
    """The bucket. Every method raises `errors.StorageUnavailable` when S3 does not answer."""

    def __init__(self, settings: Settings, config: Config = DEFAULT_CONFIG) -> None:
        """Make a client; nothing is sent yet. `config` may be `LOW_LATENCY_CONFIG`."""
        secret = settings.aws_secret_access_key
        self._s3 = boto3.client(
            "s3",
            config=config,
            endpoint_url=settings.aws_endpoint_url,
            region_name=settings.aws_default_region,
            aws_access_key_id=settings.aws_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
        )
        self._bucket = settings.s3_bucket_name
        self._data = settings.s3_path_name
        self._models = settings.s3_model_path_name

    def check(self) -> None:
        """Raise unless the bucket is there."""
        with map_s3_errors(f"bucket {self._bucket}"):
            self._s3.head_bucket(Bucket=self._bucket)

    def put_dataset(self, dataset_id: str, body: IO[bytes]) -> None:
        """Upload a CSV as it is read. An error while reading leaves nothing behind."""
        with map_s3_errors(f"data set {dataset_id}"):
            self._s3.upload_fileobj(body, self._bucket, self._csv(dataset_id), Config=_ONE_BY_ONE)

    def dataset_exists(self, dataset_id: str) -> bool:
        """Tell whether the data set is there."""
        try:
            with map_s3_errors(f"data set {dataset_id}"):
                self._s3.head_object(Bucket=self._bucket, Key=self._csv(dataset_id))
        except errors.NotFound:
            return False
        return True

    def get_dataset(
        self, dataset_id: str, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Download a CSV into a file. Raises `errors.NotFound`, and what `on_bytes` raises."""
        with map_s3_errors(f"data set {dataset_id}"):
            self._s3.download_file(
                self._bucket, self._csv(dataset_id), path, Config=_ONE_BY_ONE, Callback=on_bytes
            )

    def datasets(self) -> list[Dataset]:
        """List every data set by name."""
        with map_s3_errors("the data sets"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._data
            )
            return [
                Dataset(
                    entry["Key"].removeprefix(self._data).removesuffix(".csv"),
                    entry["Size"],
                    entry["LastModified"],
                )
                for page in pages
                for entry in page.get("Contents", ())
                if entry["Key"].endswith(".csv")
            ]

    def put_model(self, attempt: int, manifest: TrainedManifest, onnx: bytes) -> tuple[str, str]:
        """Store a model and its manifest; return the key of the folder and the ONNX file's sha256.

        Each attempt has a folder of its own, so a late loser overwrites nothing. Nobody reads it
        until its key stands in the job's row.
        """
        key = self._folder(manifest.model_id, attempt)
        with map_s3_errors(f"model {manifest.model_id}"):
            for name, body in [
                (_ONNX, onnx),
                (_MANIFEST, manifest.model_dump_json(indent=2).encode()),
            ]:
                self._s3.put_object(Bucket=self._bucket, Key=key + name, Body=body)
        return key, hashlib.sha256(onnx).hexdigest()

    def put_file(self, model_id: str, manifest: OnnxManifest, onnx: IO[bytes], sha256: str) -> str:
        """Store a model that came finished, and its manifest; return the key of the folder.

        The folder is named after what is in it: who registers another model by this id, at the same
        time, overwrites nothing.
        """
        description = manifest.model_dump_json(indent=2).encode()
        content = hashlib.sha256(sha256.encode() + description).hexdigest()
        key = self._folder(model_id, content)
        with map_s3_errors(f"model {model_id}"):
            self._s3.put_object(Bucket=self._bucket, Key=key + _MANIFEST, Body=description)
            self._s3.upload_fileobj(onnx, self._bucket, key + _ONNX, Config=_ONE_BY_ONE)
        return key

    def delete_model(self, model_id: str, attempt: int) -> None:
        """Remove what an attempt has stored, if it has."""
        self.delete_folder(self._folder(model_id, attempt))

    def delete_folder(self, key: str) -> None:
        """Remove a model and its manifest, as far as they are there."""
        with map_s3_errors(f"model {key}"):
            for name in (_ONNX, _MANIFEST):
                self._s3.delete_object(Bucket=self._bucket, Key=key + name)

    def get_model(self, key: str, sha256: str) -> bytes:
        """Return a model's ONNX file. Raises `errors.NotFound`; `errors.Corrupt` if it changed."""
        with map_s3_errors(f"model {key}"):
            onnx = self._s3.get_object(Bucket=self._bucket, Key=key + _ONNX)["Body"].read()
        if hashlib.sha256(onnx).hexdigest() != sha256:
            raise errors.Corrupt(f"{key}{_ONNX} is not the file that was published")
        return onnx

    def get_manifest(self, key: str) -> TrainedManifest:
        """Return the description of a model. Raises `errors.NotFound` or `errors.Corrupt`."""
        with map_s3_errors(f"model {key}"):
            body = self._s3.get_object(Bucket=self._bucket, Key=key + _MANIFEST)["Body"]
            manifest = body.read()
        try:
            return TrainedManifest.model_validate_json(manifest)
        except ValidationError as error:
            raise errors.Corrupt(f"{key}{_MANIFEST} is no manifest") from error

    def _folder(self, model_id: str, attempt: int | str) -> str:
        return f"{self._models}{model_id}/{attempt}/"

    def _csv(self, dataset_id: str) -> str:
        return f"{self._data}{dataset_id}.csv"


@contextmanager
def map_s3_errors(what: str) -> Iterator[None]:
    """Turn boto's errors into ours; `what` was asked for."""
    try:
        yield
    except ClientError as error:
        absent = error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        if absent and error.response["Error"]["Code"] != "NoSuchBucket":
            raise errors.NotFound(None, f"{what} does not exist") from None
        raise errors.StorageUnavailable(f"S3 refused {what}: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise errors.StorageUnavailable(f"S3 cannot be reached: {error}") from error
