import gc
import io
import tracemalloc

import pytest

from app import errors
from tests.support.files import BLOCK, CSV, MIB, Stream, keys, stream


def fetched(datasets, dataset_id, tmp_path):
    path = tmp_path / "fetched.csv"
    datasets.download(dataset_id, str(path))
    return path.read_bytes()


def test_a_data_set_comes_back_as_it_was(datasets, tmp_path):
    datasets.put("d", io.BytesIO(CSV))

    assert fetched(datasets, "d", tmp_path) == CSV


def test_a_data_set_lies_where_the_settings_say(datasets, s3, bucket, settings):
    datasets.put("d.1", io.BytesIO(CSV))

    assert keys(s3, bucket) == [f"{settings.s3_path_name}d.1.csv"]


def test_a_data_set_is_replaced(datasets, tmp_path):
    datasets.put("d", io.BytesIO(CSV * 100))
    datasets.put("d", io.BytesIO(CSV))

    assert fetched(datasets, "d", tmp_path) == CSV
    assert len(datasets.list()) == 1


def test_a_large_data_set_comes_back_as_it_was(datasets, tmp_path):
    size = 20 * MIB + 7

    datasets.put("large", stream(size))

    assert fetched(datasets, "large", tmp_path) == (BLOCK * 20)[:size]
    assert datasets.list()[0].size == size


def test_a_large_data_set_is_never_held_whole(datasets):
    tracemalloc.start()
    try:
        datasets.put("large", stream(100 * MIB))
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


def test_an_upload_is_under_way_while_it_is_read(datasets, s3, bucket):
    seen = []

    class Watched(Stream):
        def readinto(self, buffer):
            seen.append(len(under_way(s3, bucket)))
            return super().readinto(buffer)

    datasets.put("large", io.BufferedReader(Watched(20 * MIB), 4 * MIB))

    assert max(seen) == 1
    assert under_way(s3, bucket) == []


def test_reading_that_fails_leaves_nothing_behind(datasets, s3, bucket):
    for size, fails_after in [(100, 0), (100, 50), (30 * MIB, 17 * MIB)]:
        with pytest.raises(errors.Invalid, match="NUL"):
            datasets.put("broken", stream(size, fails_after))

        assert keys(s3, bucket) == []
        assert not datasets.exists("broken")
        assert under_way(s3, bucket) == []


def test_reading_that_fails_keeps_what_was_there(datasets, tmp_path):
    datasets.put("d", io.BytesIO(CSV))

    with pytest.raises(errors.Invalid):
        datasets.put("d", stream(30 * MIB, 17 * MIB))

    assert fetched(datasets, "d", tmp_path) == CSV


def test_a_data_set_is_there_or_not(datasets):
    datasets.put("here", io.BytesIO(CSV))

    assert datasets.exists("here")
    assert not datasets.exists("her")
    assert not datasets.exists("here.csv")


def test_the_data_sets_are_listed_by_name_with_their_size(datasets, s3, bucket, settings):
    assert datasets.list() == []
    for number, name in enumerate(["b", "a", "c.d"], 1):
        datasets.put(name, io.BytesIO(CSV * number))
    s3.put_object(Bucket=bucket, Key=f"{settings.s3_path_name}notes.txt", Body=b"x")

    found = datasets.list()

    assert [(each.id, each.size) for each in found] == [
        ("a", 2 * len(CSV)),
        ("b", len(CSV)),
        ("c.d", 3 * len(CSV)),
    ]
    assert all(each.modified.tzinfo for each in found)


def test_each_owner_s_data_sets_are_listed_alone(datasets):
    for name in ("houses", "red~houses", "red~cars", "redder~boats"):
        datasets.put(name, io.BytesIO(CSV))

    listed = {owner: datasets.list(owner) for owner in ("default", "red", "redder", "blue")}

    assert {owner: [each.id for each in found] for owner, found in listed.items()} == {
        "default": ["houses"],
        "red": ["cars", "houses"],
        "redder": ["boats"],
        "blue": [],
    }


def test_the_nearest_name_is_the_owner_s_own(datasets):
    for name in ("house", "red~horses"):
        datasets.put(name, io.BytesIO(CSV))

    assert datasets.not_found("houses").message.endswith('did you mean "house"?')
    assert datasets.not_found("red~houses").message.endswith('did you mean "red~horses"?')
    assert datasets.not_found("blue~houses").message == "there is no data set blue~houses"


def test_more_data_sets_than_a_page_are_listed(datasets, s3, bucket, settings):
    names = [f"d{number:04}" for number in range(1005)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=f"{settings.s3_path_name}{name}.csv", Body=b"")

    assert [each.id for each in datasets.list()] == names


def test_an_unknown_data_set_is_not_found(datasets, tmp_path):
    with pytest.raises(errors.NotFound, match=r"there is no data set nowhere$") as caught:
        datasets.download("nowhere", str(tmp_path / "x.csv"))

    assert caught.value.extra == {}
    assert list(tmp_path.glob("x.csv*")) == []


def test_the_nearest_data_set_is_named(datasets):
    for name in ("diabetes", "iris"):
        datasets.put(name, io.BytesIO(CSV))

    for asked in ("Diabetes", "diabets"):
        assert datasets.not_found(asked).message == (
            f'there is no data set {asked}; did you mean "diabetes"?'
        )
    assert datasets.not_found("prices").message == "there is no data set prices"


class Enough(Exception):
    """Raised by a test."""


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # boto leaves the socket to the collector
@pytest.mark.parametrize("size", [100, 20 * MIB])
@pytest.mark.parametrize("error", [Enough, errors.Fenced, errors.ShuttingDown])
def test_what_is_raised_at_the_bytes_that_come_ends_a_download(datasets, tmp_path, size, error):
    datasets.put("d", stream(size))
    seen = []

    def on_bytes(count):
        seen.append(count)
        raise error

    with pytest.raises(error):
        datasets.download("d", str(tmp_path / "x.csv"), on_bytes)

    gc.collect()
    assert len(seen) == 1
    assert 0 < seen[0] <= 8 * MIB
    assert list(tmp_path.glob("x.csv*")) == []


def test_the_bytes_that_come_are_told(datasets, tmp_path):
    size = 20 * MIB + 7
    datasets.put("d", stream(size))
    seen = []

    datasets.download("d", str(tmp_path / "x.csv"), seen.append)

    assert sum(seen) == size
    assert len(seen) > 1


def test_what_the_disk_refuses_is_not_blamed_on_storage(datasets, tmp_path):
    datasets.put("d", io.BytesIO(CSV))

    with pytest.raises(OSError, match="No such file"):
        datasets.download("d", str(tmp_path / "nowhere" / "x.csv"))
