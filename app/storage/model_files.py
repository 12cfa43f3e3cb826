"""Models in S3: a folder each, with the ONNX file and the manifest."""

import hashlib
import threading
from typing import IO

from cachetools import LRUCache, cachedmethod
from pydantic import ValidationError

from app import errors
from app.models.manifest import OnnxManifest, TrainedManifest
from app.models.record import StoredFile
from app.storage.client import SEQUENTIAL_TRANSFER, S3Client, map_s3_errors

CACHE_BYTES = 8_000_000  # of manifests, as JSON

_ONNX, _MANIFEST = "model.onnx", "metadata.json"


class ModelStore:
    """The models below a prefix. Methods raise `errors.StorageUnavailable`."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        """Keep the models below `prefix`, which ends with a slash or is empty."""
        self._client = client
        self._prefix = prefix
        self._manifests: LRUCache[str, TrainedManifest] = LRUCache(CACHE_BYTES, _size)
        self._lock = threading.Lock()

    def put_trained(self, attempt: int, manifest: TrainedManifest, onnx: bytes) -> StoredFile:
        """Store a trained model and its manifest.

        Each attempt has its own folder, so a late attempt overwrites nothing. Readers find the
        folder only once a row of the database names its key.
        """
        key = self._folder(manifest.model_id, attempt)
        with map_s3_errors(f"model {manifest.model_id}"):
            self._put(key + _ONNX, onnx)
            self._put(key + _MANIFEST, manifest.model_dump_json(indent=2).encode())
        return StoredFile(key, hashlib.sha256(onnx).hexdigest())

    def put_uploaded(
        self, model_id: str, manifest: OnnxManifest, onnx: IO[bytes], sha256: str
    ) -> StoredFile:
        """Store an uploaded model and its manifest; `sha256` is that of the ONNX file.

        The folder is named after its content, so another upload with the same id overwrites
        nothing.
        """
        description = manifest.model_dump_json(indent=2).encode()
        content = hashlib.sha256(sha256.encode() + description).hexdigest()
        key = self._folder(model_id, content)
        with map_s3_errors(f"model {model_id}"):
            self._put(key + _MANIFEST, description)
            self._client.boto.upload_fileobj(
                onnx, self._client.bucket, key + _ONNX, Config=SEQUENTIAL_TRANSFER
            )
        return StoredFile(key, sha256)

    def delete(self, key: str) -> None:
        """Delete a model's file and manifest, if they exist."""
        with map_s3_errors(f"model {key}"):
            for name in (_ONNX, _MANIFEST):
                self._client.boto.delete_object(Bucket=self._client.bucket, Key=key + name)

    def delete_attempt(self, model_id: str, attempt: int) -> None:
        """Delete the files that an attempt of a training has stored, if any."""
        self.delete(self._folder(model_id, attempt))

    def get(self, file: StoredFile) -> bytes:
        """Return a model's ONNX file. Raises `errors.NotFound`; `errors.Corrupt` if it changed."""
        onnx = self._get(file.key, _ONNX)
        if hashlib.sha256(onnx).hexdigest() != file.sha256:
            raise errors.Corrupt(f"{file.key}{_ONNX} is not the file that was published")
        return onnx

    @cachedmethod(lambda self: self._manifests, lock=lambda self: self._lock)
    def get_manifest(self, key: str) -> TrainedManifest:
        """Return a trained model's manifest; those used last are cached, because they never change.

        Raises `errors.NotFound` or `errors.Corrupt`.
        """
        try:
            return TrainedManifest.model_validate_json(self._get(key, _MANIFEST))
        except ValidationError as error:
            raise errors.Corrupt(f"{key}{_MANIFEST} is not a manifest") from error

    def _put(self, key: str, body: bytes) -> None:
        self._client.boto.put_object(Bucket=self._client.bucket, Key=key, Body=body)

    def _get(self, key: str, name: str) -> bytes:
        with map_s3_errors(f"model {key}"):
            found = self._client.boto.get_object(Bucket=self._client.bucket, Key=key + name)
            return bytes(found["Body"].read())

    def _folder(self, model_id: str, attempt: int | str) -> str:
        return f"{self._prefix}{model_id}/{attempt}/"


def _size(manifest: TrainedManifest) -> int:
    return len(manifest.model_dump_json())
