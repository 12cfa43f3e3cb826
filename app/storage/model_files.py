"""Models in S3: a folder each, with the model's file, the manifest and the evaluation."""

import hashlib
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from cachetools import LRUCache, cachedmethod
from pydantic import ValidationError

from app import errors
from app.models.evaluation import EVALUATION_FILE
from app.models.manifest import OnnxManifest, Runtime, TrainedManifest
from app.models.record import StoredFile
from app.storage.client import SEQUENTIAL_TRANSFER, S3Client, map_s3_errors
from app.storage.object_stream import ObjectStream

CACHE_BYTES = 8_000_000  # of manifests, as JSON
PIECE_BYTES = 1_000_000

FILES: dict[Runtime, str] = {"onnx": "model.onnx", "scikit-learn": "model.skops"}
_MANIFEST = "metadata.json"


class ModelStore:
    """The models below a prefix. Methods raise `errors.StorageUnavailable`."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        """Keep the models below `prefix`, which ends with a slash or is empty."""
        self._client = client
        self._prefix = prefix
        self._manifests: LRUCache[str, TrainedManifest] = LRUCache(CACHE_BYTES, _size)
        self._lock = threading.Lock()

    def put_trained(self, attempt: int, manifest: TrainedManifest, path: Path) -> StoredFile:
        """Store a trained model, whose file lies at `path`, its manifest, and its evaluation.

        The evaluation lies beside the file; a model without one is stored without one.

        Each attempt has its own folder, so a late attempt overwrites nothing. Readers find the
        folder only once a row of the database names its key.
        """
        key = self._folder(manifest.model_id, attempt)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with map_s3_errors(f"model {manifest.model_id}"):
            self._client.boto.upload_file(
                str(path),
                self._client.bucket,
                key + FILES[manifest.runtime],
                Config=SEQUENTIAL_TRANSFER,
            )
            if (evaluation := path.with_name(EVALUATION_FILE)).exists():
                self._put(key + EVALUATION_FILE, evaluation.read_bytes())
            self._put(key + _MANIFEST, manifest.model_dump_json(indent=2).encode())
        return StoredFile(key, sha256)

    def put_uploaded(
        self, model_id: str, manifest: OnnxManifest, onnx: IO[bytes], sha256: str
    ) -> StoredFile:
        """Store an uploaded model and its manifest; `sha256` is that of the ONNX file.

        Each upload has its own folder, so another one with the same id overwrites nothing, and a
        folder that no model has can be deleted. An upload that fails leaves nothing, unless S3
        cannot be reached any more.
        """
        key = self._folder(model_id, uuid.uuid4().hex)
        try:
            with map_s3_errors(f"model {model_id}"):
                self._put(key + _MANIFEST, manifest.model_dump_json(indent=2).encode())
                self._client.boto.upload_fileobj(
                    onnx, self._client.bucket, key + FILES["onnx"], Config=SEQUENTIAL_TRANSFER
                )
        except Exception:
            with suppress(errors.Unavailable):
                self.delete(key)
            raise
        return StoredFile(key, sha256)

    def delete(self, key: str) -> None:
        """Delete a model's file, manifest and evaluation, if they exist."""
        with map_s3_errors(f"model {key}"):
            for name in (*FILES.values(), EVALUATION_FILE, _MANIFEST):
                self._client.boto.delete_object(Bucket=self._client.bucket, Key=key + name)

    def delete_attempt(self, model_id: str, attempt: int) -> None:
        """Delete the files that an attempt of a training has stored, if any."""
        self.delete(self._folder(model_id, attempt))

    def open(self, file: StoredFile, runtime: Runtime = "onnx") -> ObjectStream:
        """Open a model's file. Raises `errors.NotFound`."""
        return ObjectStream(self._client, file.key + FILES[runtime])

    @contextmanager
    def fetched(self, file: StoredFile, runtime: Runtime = "onnx") -> Iterator[Path]:
        """Give the path of a copy of a model's file, which exists during the block.

        Raises `errors.NotFound`; `errors.Corrupt` if the file changed; `errors.Unavailable` if the
        disk has no room for it.
        """
        with NamedTemporaryFile(prefix="warren-") as copy:
            try:
                sha256 = self._download(file.key, FILES[runtime], copy)
            except OSError as error:
                raise errors.Unavailable(
                    f"the model cannot be written to the disk: {error.strerror}"
                ) from error
            if sha256 != file.sha256:
                raise errors.Corrupt(
                    f"{file.key}{FILES[runtime]} is not the file that was published"
                )
            yield Path(copy.name)

    @cachedmethod(lambda self: self._manifests, lock=lambda self: self._lock)
    def get_manifest(self, key: str) -> TrainedManifest:
        """Return a trained model's manifest; those used last are cached, because they never change.

        Raises `errors.NotFound` or `errors.Corrupt`.
        """
        try:
            return TrainedManifest.model_validate_json(self._get(key, _MANIFEST))
        except ValidationError as error:
            raise errors.Corrupt(f"{key}{_MANIFEST} is not a manifest") from error

    def get_evaluation(self, key: str) -> bytes:
        """Return the JSON of a trained model's evaluation.

        Raises `errors.NotFound` for a model of a version that kept none.
        """
        return self._get(key, EVALUATION_FILE)

    def _put(self, key: str, body: bytes) -> None:
        self._client.boto.put_object(Bucket=self._client.bucket, Key=key, Body=body)

    def _get(self, key: str, name: str) -> bytes:
        with map_s3_errors(f"model {key}"):
            found = self._client.boto.get_object(Bucket=self._client.bucket, Key=key + name)
            return bytes(found["Body"].read())

    def _download(self, key: str, name: str, copy: IO[bytes]) -> str:
        """Write an object to `copy` in pieces; return its sha256."""
        sha256 = hashlib.sha256()
        with map_s3_errors(f"model {key}"):
            found = self._client.boto.get_object(Bucket=self._client.bucket, Key=key + name)
            for piece in found["Body"].iter_chunks(PIECE_BYTES):
                sha256.update(piece)
                copy.write(piece)
        copy.flush()
        return sha256.hexdigest()

    def _folder(self, model_id: str, attempt: int | str) -> str:
        return f"{self._prefix}{model_id}/{attempt}/"


def _size(manifest: TrainedManifest) -> int:
    return len(manifest.model_dump_json())
