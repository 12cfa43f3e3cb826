import gc
import hashlib
import io
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import errors
from app.models.manifest import OnnxManifest
from app.settings import Settings
from app.storage.client import Storage
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
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def fetched(storage, dataset_id, tmp_path):
    path = tmp_path / "fetched.csv"
    storage.get_dataset(dataset_id, str(path))
    return path.read_bytes()


def test_a_data_set_comes_back_as_it_was(storage, tmp_path):
    storage.put_dataset("d", io.BytesIO(CSV))

    assert fetched(storage, "d", tmp_path) == CSV


def test_a_data_set_lies_where_the_settings_say(storage, s3, bucket, settings):
    storage.put_dataset("d.1", io.BytesIO(CSV))

    assert keys(s3, bucket) == [f"{settings.s3_path_name}d.1.csv"]


def test_a_data_set_is_replaced(storage, tmp_path):
    storage.put_dataset("d", io.BytesIO(CSV * 100))
    storage.put_dataset("d", io.BytesIO(CSV))

    assert fetched(storage, "d", tmp_path) == CSV
    assert len(storage.datasets()) == 1


def test_a_large_data_set_comes_back_as_it_was(storage, tmp_path):
    size = 20 * MIB + 7

    storage.put_dataset("large", stream(size))

    assert fetched(storage, "large", tmp_path) == (BLOCK * 20)[:size]
    assert storage.datasets()[0].size == size


def test_a_large_data_set_is_never_held_whole(storage):
    tracemalloc.start()
    try:
        storage.put_dataset("large", stream(100 * MIB))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 40 * MIB


def under_way(s3, bucket):
    """The uploads that were begun and neither ended nor given up."""
    try:
        return s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    except s3.exceptions.NoSuchUpload:  # which is how this server says that there is none
        return []


def test_an_upload_is_under_way_while_it_is_read(storage, s3, bucket):
    seen = []

    class Watched(Stream):
        def readinto(self, buffer):
            seen.append(len(under_way(s3, bucket)))
            return super().readinto(buffer)

    storage.put_dataset("large", io.BufferedReader(Watched(20 * MIB), 4 * MIB))

    assert max(seen) == 1
    assert under_way(s3, bucket) == []


def test_reading_that_fails_leaves_nothing_behind(storage, s3, bucket):
    for size, fails_after in [(100, 0), (100, 50), (30 * MIB, 17 * MIB)]:
        with pytest.raises(errors.Invalid, match="NUL"):
            storage.put_dataset("broken", stream(size, fails_after))

        assert keys(s3, bucket) == []
        assert not storage.dataset_exists("broken")
        assert under_way(s3, bucket) == []


def test_reading_that_fails_keeps_what_was_there(storage, tmp_path):
    storage.put_dataset("d", io.BytesIO(CSV))

    with pytest.raises(errors.Invalid):
        storage.put_dataset("d", stream(30 * MIB, 17 * MIB))

    assert fetched(storage, "d", tmp_path) == CSV


def test_a_data_set_is_there_or_not(storage):
    storage.put_dataset("here", io.BytesIO(CSV))

    assert storage.dataset_exists("here")
    assert not storage.dataset_exists("her")
    assert not storage.dataset_exists("here.csv")


def test_the_data_sets_are_listed_by_name_with_their_size(storage, s3, bucket, settings):
    assert storage.datasets() == []
    for number, name in enumerate(["b", "a", "c.d"], 1):
        storage.put_dataset(name, io.BytesIO(CSV * number))
    s3.put_object(Bucket=bucket, Key=f"{settings.s3_path_name}notes.txt", Body=b"x")

    found = storage.datasets()

    assert [(each.id, each.size) for each in found] == [
        ("a", 2 * len(CSV)),
        ("b", len(CSV)),
        ("c.d", 3 * len(CSV)),
    ]
    assert all(each.modified.tzinfo for each in found)


def test_more_data_sets_than_a_page_are_listed(storage, s3, bucket, settings):
    names = [f"d{number:04}" for number in range(1005)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=f"{settings.s3_path_name}{name}.csv", Body=b"")

    assert [each.id for each in storage.datasets()] == names


def test_an_unknown_data_set_is_not_found(storage, tmp_path):
    with pytest.raises(errors.NotFound, match="data set nowhere does not exist"):
        storage.get_dataset("nowhere", str(tmp_path / "x.csv"))

    assert list(tmp_path.glob("x.csv*")) == []


class Enough(Exception):
    """Raised by a test."""


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # boto leaves the socket to the collector
@pytest.mark.parametrize("size", [100, 20 * MIB])
@pytest.mark.parametrize("error", [Enough, errors.Fenced, errors.ShuttingDown])
def test_what_is_raised_at_the_bytes_that_come_ends_a_download(storage, tmp_path, size, error):
    storage.put_dataset("d", stream(size))
    seen = []

    def on_bytes(count):
        seen.append(count)
        raise error

    with pytest.raises(error):
        storage.get_dataset("d", str(tmp_path / "x.csv"), on_bytes)

    gc.collect()
    assert len(seen) == 1
    assert 0 < seen[0] <= 8 * MIB
    assert list(tmp_path.glob("x.csv*")) == []


def test_the_bytes_that_come_are_told(storage, tmp_path):
    size = 20 * MIB + 7
    storage.put_dataset("d", stream(size))
    seen = []

    storage.get_dataset("d", str(tmp_path / "x.csv"), seen.append)

    assert sum(seen) == size
    assert len(seen) > 1


def put_model(storage, attempt=1, onnx=b"onnx"):
    return storage.put_model(attempt, frames.manifest(model_id="m"), onnx)


def test_a_model_comes_back_as_it_was(storage):
    onnx = random.Random(7).randbytes(9 * MIB)

    key, sha256 = put_model(storage, onnx=onnx)

    assert storage.get_model(key, sha256) == onnx
    assert storage.get_manifest(key) == frames.manifest(model_id="m")


def test_a_model_lies_in_the_folder_of_its_attempt(storage, s3, bucket, settings):
    key, _ = put_model(storage, attempt=3)

    assert key == f"{settings.s3_model_path_name}m/3/"
    assert keys(s3, bucket) == [f"{key}metadata.json", f"{key}model.onnx"]


def test_an_attempt_overwrites_no_other(storage):
    first, second = put_model(storage, 1, b"first"), put_model(storage, 2, b"second")

    assert storage.get_model(*first) == b"first"
    assert storage.get_model(*second) == b"second"


def put_file(storage, onnx=b"onnx", **changes):
    spec = OnnxManifest.model_validate({**graphs.LINEAR, **changes})
    sha256 = hashlib.sha256(onnx).hexdigest()
    return storage.put_file("m", spec, io.BytesIO(onnx), sha256), sha256


def test_a_file_lies_in_a_folder_that_is_named_by_what_is_in_it(storage, s3, bucket):
    onnx = random.Random(7).randbytes(9 * MIB)

    key, sha256 = put_file(storage, onnx)

    assert storage.get_model(key, sha256) == onnx
    assert keys(s3, bucket) == [f"{key}metadata.json", f"{key}model.onnx"]
    assert key.startswith("models/m/")
    assert put_file(storage, onnx) == (key, sha256)
    others = [put_file(storage, b"other"), put_file(storage, onnx, sample={"a": 1, "b": 2})]
    assert len({key, *(other for other, _ in others)}) == 3
    storage.delete_folder(others[0][0])
    assert storage.get_model(key, sha256) == onnx
    with pytest.raises(errors.NotFound):
        storage.get_model(*others[0])


def test_a_model_that_was_changed_is_corrupt(storage, s3, bucket):
    key, sha256 = put_model(storage)
    s3.put_object(Bucket=bucket, Key=f"{key}model.onnx", Body=b"onnX")

    with pytest.raises(errors.Corrupt, match=r"model\.onnx is not the file"):
        storage.get_model(key, sha256)


def test_a_model_that_was_deleted_is_not_found(storage, s3, bucket):
    key, sha256 = put_model(storage)
    for name in ("model.onnx", "metadata.json"):
        s3.delete_object(Bucket=bucket, Key=key + name)

    with pytest.raises(errors.NotFound):
        storage.get_model(key, sha256)
    with pytest.raises(errors.NotFound):
        storage.get_manifest(key)


def test_what_an_attempt_has_stored_is_removed_and_that_of_the_others_is_not(storage, s3, bucket):
    first, tenth = put_model(storage, 1, b"first"), put_model(storage, 10, b"tenth")
    put_model(storage, 2)

    storage.delete_model("m", 2)

    assert storage.get_model(*first) == b"first"
    assert storage.get_model(*tenth) == b"tenth"
    assert len(keys(s3, bucket)) == 4

    storage.delete_model("m", 1)

    assert storage.get_model(*tenth) == b"tenth"
    assert len(keys(s3, bucket)) == 2


def test_nothing_is_removed_where_nothing_is(storage, s3, bucket):
    storage.delete_model("m", 1)
    put_model(storage)

    storage.delete_model("m", 2)
    storage.delete_model("n", 1)
    assert len(keys(s3, bucket)) == 2

    storage.delete_model("m", 1)
    storage.delete_model("m", 1)
    assert keys(s3, bucket) == []


@pytest.mark.parametrize("name", ["model.onnx", "metadata.json"])
def test_what_an_attempt_has_stored_by_half_is_removed(storage, s3, bucket, name):
    key, _ = put_model(storage)
    s3.delete_object(Bucket=bucket, Key=key + name)

    storage.delete_model("m", 1)

    assert keys(s3, bucket) == []


def test_a_manifest_that_was_broken_is_corrupt(storage, s3, bucket):
    key, _ = put_model(storage)
    s3.put_object(Bucket=bucket, Key=f"{key}metadata.json", Body=b"{")

    with pytest.raises(errors.Corrupt):
        storage.get_manifest(key)


def test_the_bucket_is_there(storage):
    storage.check()


def test_a_bucket_that_is_not_there_is_an_error(settings):
    with pytest.raises(errors.WarrenError, match="bucket nowhere"):
        Storage(settings.model_copy(update={"s3_bucket_name": "nowhere"})).check()


CALLS = {
    "check": lambda storage, folder: storage.check(),
    "put_dataset": lambda storage, folder: storage.put_dataset("d", io.BytesIO(CSV)),
    "a large put_dataset": lambda storage, folder: storage.put_dataset("d", stream(9 * MIB)),
    "dataset_exists": lambda storage, folder: storage.dataset_exists("d"),
    "get_dataset": lambda storage, folder: storage.get_dataset("d", str(folder / "x.csv")),
    "datasets": lambda storage, folder: storage.datasets(),
    "put_model": lambda storage, folder: put_model(storage),
    "put_file": lambda storage, folder: put_file(storage),
    "a large put_file": lambda storage, folder: put_file(storage, bytes(9 * MIB)),
    "delete_folder": lambda storage, folder: storage.delete_folder("models/m/1/"),
    "delete_model": lambda storage, folder: storage.delete_model("m", 1),
    "get_model": lambda storage, folder: storage.get_model("models/m/1/", "a" * 64),
    "get_manifest": lambda storage, folder: storage.get_manifest("models/m/1/"),
}


def test_a_server_that_is_stopped_cannot_be_reached_and_one_that_is_back_can(
    storage, s3_server, tmp_path
):
    storage.put_dataset("d", io.BytesIO(CSV))
    s3_server.stop()
    try:
        with ThreadPoolExecutor(len(CALLS)) as all_at_once:  # each is tried again and again
            asked = [all_at_once.submit(call, storage, tmp_path) for call in CALLS.values()]
        for each in asked:
            assert isinstance(each.exception(), errors.StorageUnavailable)
    finally:
        s3_server.start()

    assert fetched(storage, "d", tmp_path) == CSV


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
        CALLS[name](Storage(stranger), tmp_path)

    assert "not the key" not in caught.value.detail


def test_what_the_disk_refuses_is_not_blamed_on_storage(storage, tmp_path):
    storage.put_dataset("d", io.BytesIO(CSV))

    with pytest.raises(OSError, match="No such file"):
        storage.get_dataset("d", str(tmp_path / "nowhere" / "x.csv"))
