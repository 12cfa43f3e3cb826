import hashlib
import io
import random
import tracemalloc
from zipfile import ZipFile

import pytest

from app import errors
from app.mlflow.zip_stream import ZipStream

FILES = {"MLmodel": b"flavors:\n", "code/a.py": b"# \xc3\xa4\n"}


class Content:
    """An object of S3: `pieces` of random bytes, after which it may fail."""

    def __init__(self, pieces: int, fails: bool = False) -> None:
        self.size = pieces * 1_000_000
        self.sha256 = hashlib.sha256()
        self.closed = False
        self._left, self._fails = pieces, fails
        self._random = random.Random(1)

    def read(self, size: int) -> bytes:
        if not self._left:
            if self._fails:
                raise errors.StorageUnavailable
            return b""
        self._left -= 1
        piece = self._random.randbytes(size)
        self.sha256.update(piece)
        return piece

    def close(self) -> None:
        self.closed = True


def stream(content: Content) -> ZipStream:
    return ZipStream(FILES, "model.onnx", content)  # type: ignore[arg-type]


def whole(made: ZipStream) -> bytes:
    return b"".join(iter(lambda: made.read(100_000), b""))


def test_it_is_an_archive_of_the_files_and_the_content() -> None:
    content = Content(3)
    with ZipFile(io.BytesIO(whole(stream(content)))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in FILES} == FILES
        model = archive.read("model.onnx")
        assert sorted(archive.namelist()) == ["MLmodel", "code/a.py", "model.onnx"]
    assert hashlib.sha256(model).digest() == content.sha256.digest()


def test_the_same_files_are_the_same_bytes() -> None:
    assert whole(stream(Content(1))) == whole(stream(Content(1)))


def test_it_is_never_held_as_a_whole() -> None:
    made = stream(Content(20))
    tracemalloc.start()
    try:
        while made.read(1_000_000):
            pass
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000


def test_it_ends_with_the_error_of_its_content() -> None:
    content = Content(2, fails=True)
    made = stream(content)
    with pytest.raises(errors.StorageUnavailable):
        whole(made)
    made.close()
    assert content.closed


def test_it_may_be_closed_before_its_end() -> None:
    content = Content(5)
    made = stream(content)
    assert made.read(4) == b"PK\x03\x04"
    made.close()
    assert content.closed
