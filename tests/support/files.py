"""What the tests of storage write: bodies that are read as a stream, and models."""

import hashlib
import io
import random
from pathlib import Path
from tempfile import NamedTemporaryFile

from app import errors
from app.models.manifest import OnnxManifest
from tests.support import frames, graphs

MIB = 2**20
CSV = b"a,target\n1,2\n"


BLOCK = random.Random(7).randbytes(MIB + 3)


class Stream(io.RawIOBase):
    """Gives bytes as they are asked for; fails after some of them, if told to."""

    def __init__(self, size, fails_after=None):
        self._left = size
        self._given = 0
        self._fails_after = fails_after

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._fails_after is not None and self._given >= self._fails_after:
            raise errors.Invalid("body", "not a CSV: it has a NUL byte")
        start = self._given % len(BLOCK)
        piece = BLOCK[start : start + min(len(buffer), self._left)]
        buffer[: len(piece)] = piece
        self._given += len(piece)
        self._left -= len(piece)
        return len(piece)


def stream(size, fails_after=None):
    """A body as the producer hands it over."""
    return io.BufferedReader(Stream(size, fails_after), 1_000_000)


def keys(s3, bucket):
    """List the keys of a bucket."""
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def put_trained(models, attempt=1, content=b"onnx", **manifest):
    """Store a trained model."""
    with NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        described = frames.manifest(model_id="m", **manifest)
        return models.put_trained(attempt, described, Path(file.name))


def get(models, file, *runtime):
    """The content of a stored model."""
    with models.fetched(file, *runtime) as path:
        return path.read_bytes()


def put_uploaded(models, onnx=b"onnx", **changes):
    """Store an uploaded model."""
    spec = OnnxManifest.model_validate({**graphs.LINEAR, **changes})
    return models.put_uploaded("m", spec, io.BytesIO(onnx), hashlib.sha256(onnx).hexdigest())
