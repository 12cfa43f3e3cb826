import hashlib
import io
import threading

import pytest

from app import errors
from app.database.engine import create_engine
from app.datasets.description import Description
from app.datasets.descriptions import Descriptions
from app.datasets.queries import read_current, read_versions
from app.datasets.version import Facts
from app.datasets.versions import DatasetVersions
from app.storage.client import S3Client
from app.tables.dialect import TableFormat
from tests.support.files import CSV, MIB, keys, stream

OTHER = b"a,b\n9,9\n"


@pytest.fixture
def versions(settings, database_url):
    engine = create_engine(database_url)
    yield DatasetVersions.of(engine, S3Client(settings), settings.s3_path_name)
    engine.dispose()


@pytest.fixture
def put_outside(s3, bucket, settings):
    """Put a file in the place of a data set, as another S3 client does."""

    def put(dataset_id, content):
        s3.put_object(Bucket=bucket, Key=f"{settings.s3_path_name}{dataset_id}.csv", Body=content)

    return put


def put(versions, content, dataset_id="d", **facts):
    return versions.put(dataset_id, io.BytesIO(content), lambda: Facts(**facts))[0]


def read(versions, version, tmp_path):
    path = tmp_path / "read"
    versions.download(version, str(path))
    return path.read_bytes()


def known(versions, dataset_id="d"):
    return [each.version for each in read_versions(versions.engine, dataset_id, 10)]


def test_an_upload_is_a_version_that_is_named_by_its_content(versions, tmp_path):
    facts = {
        "columns": ["a", "b"],
        "rows": 1,
        "warnings": ["odd"],
        "table_format": TableFormat.csv().model_dump(mode="json"),
    }

    stored = put(versions, CSV, **facts)

    assert stored.version == hashlib.sha256(CSV).hexdigest()
    assert stored.size == len(CSV)
    assert {name: getattr(stored, name) for name in facts} == facts
    assert stored.format == TableFormat.csv()
    assert read(versions, stored, tmp_path) == CSV
    assert versions.pin("d") == stored


def test_an_upload_is_the_object_that_other_clients_see(versions, s3, bucket, settings):
    put(versions, CSV)

    found = s3.get_object(Bucket=bucket, Key=f"{settings.s3_path_name}d.csv")
    assert found["Body"].read() == CSV
    assert [each.id for each in versions.store.list()] == ["d"]


def test_a_version_outlives_its_replacement(versions, tmp_path):
    first = put(versions, CSV)
    second = put(versions, OTHER)

    assert versions.pin("d").version == second.version
    assert versions.pin("d", first.version).version == first.version
    assert read(versions, first, tmp_path) == CSV
    assert known(versions) == [second.version, first.version]


def test_the_same_content_is_the_same_version(versions, tmp_path):
    first = put(versions, CSV, rows=1)
    put(versions, OTHER)
    again = put(versions, CSV)

    assert again.version == first.version
    assert again.created_at == first.created_at
    assert again.rows == 1
    assert len(known(versions)) == 2
    assert versions.pin("d").version == first.version
    assert read(versions, again, tmp_path) == CSV


def test_the_same_bytes_that_are_read_in_another_way_are_another_version(versions):
    plain = put(versions, CSV)
    told = put(versions, CSV, told={"thousands": "."})

    assert told.version.startswith(f"{plain.version}-")
    assert versions.pin("d").version == told.version


def test_a_file_of_another_client_is_the_current_version(versions, put_outside, tmp_path):
    put(versions, CSV)
    put_outside("d", OTHER)

    found = versions.pin("d")

    assert found.version == hashlib.sha256(OTHER).hexdigest()
    assert found.columns is None
    assert read(versions, found, tmp_path) == OTHER
    put_outside("d", CSV)
    assert read(versions, found, tmp_path) == OTHER
    assert versions.pin("d").version == hashlib.sha256(CSV).hexdigest()
    assert versions.pin("d").rows is None


def test_a_file_of_another_client_is_copied_once(versions, put_outside, s3, bucket):
    put_outside("d", CSV)
    found = set()

    def pin():
        found.add(versions.pin("d").file_key)

    threads = [threading.Thread(target=pin) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len(found) == 1
    assert found < set(keys(s3, bucket))
    assert len(keys(s3, bucket)) == 2


def test_a_large_file_of_another_client_is_copied(versions, s3, bucket, settings, tmp_path):
    s3.upload_fileobj(stream(20 * MIB + 7), bucket, f"{settings.s3_path_name}d.csv")

    found = versions.pin("d")

    content = read(versions, found, tmp_path)
    assert found.size == len(content) == 20 * MIB + 7
    assert hashlib.sha256(content).hexdigest() == found.version


def test_an_upload_that_fails_leaves_the_data_set_as_it_was(versions, s3, bucket):
    first = put(versions, CSV)
    before = keys(s3, bucket)

    def fail():
        raise errors.Invalid("body", "no")

    with pytest.raises(errors.Invalid, match="NUL"):
        versions.put("d", stream(30 * MIB, 17 * MIB), Facts)
    with pytest.raises(errors.Invalid, match="no"):
        versions.put("d", io.BytesIO(OTHER), fail)
    with pytest.raises(errors.Invalid, match="no"):
        versions.put("d", io.BytesIO(OTHER), Facts, fail)

    assert versions.pin("d").version == first.version
    assert keys(s3, bucket) == before
    assert known(versions) == [first.version]


@pytest.mark.parametrize("asked", [None, "f" * 64])
def test_a_data_set_that_is_not_there_is_not_found(versions, asked):
    put(versions, CSV, "iris")

    with pytest.raises(errors.NotFound, match='no data set irs; did you mean "iris"') as caught:
        versions.pin("irs", asked)

    assert caught.value.extra == {"field": "dataset_id"}


def test_a_version_that_is_not_there_is_not_found(versions):
    put(versions, CSV)

    for version in ("f" * 64, "x'; --", "ü"):
        with pytest.raises(errors.NotFound, match="GET /datasets/d lists them") as caught:
            versions.pin("d", version)
        assert caught.value.extra == {"field": "dataset_version"}
    with pytest.raises(errors.NotFound, match="was deleted"):
        versions.get("d", "f" * 64)


def test_a_version_whose_file_is_gone_is_not_found(versions, s3, bucket, tmp_path):
    stored = put(versions, CSV)
    s3.delete_object(Bucket=bucket, Key=stored.file_key)

    with pytest.raises(errors.NotFound, match=r"version .* of data set d was deleted"):
        versions.download(stored, str(tmp_path / "x"))

    again = put(versions, CSV)  # which is how to get it back
    assert read(versions, again, tmp_path) == CSV


def test_of_two_uploads_at_a_time_the_current_one_has_its_own_version(versions, tmp_path):
    contents = [b"a,b\n%d,1\n" % number for number in range(8)]
    threads = [threading.Thread(target=put, args=(versions, each)) for each in contents]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    current = versions.pin("d")

    now = tmp_path / "now"
    versions.store.download("d", str(now))
    assert read(versions, current, tmp_path) == now.read_bytes()
    assert sorted(known(versions)) == sorted(hashlib.sha256(each).hexdigest() for each in contents)


def test_of_two_that_replace_the_same_version_one_succeeds(versions):
    first = put(versions, CSV)
    seen = threading.Barrier(2)
    outcomes = []

    def check():
        current = versions.current("d")
        seen.wait(20)
        return current

    def replace(content):
        try:
            outcomes.append(versions.put("d", io.BytesIO(content), Facts, check)[0].version)
        except errors.Conflict as error:
            outcomes.append(error.detail)

    threads = [threading.Thread(target=replace, args=(b"a,b\n%d,7\n" % n,)) for n in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    lost = "dataset_id: another request is replacing data set d"
    assert outcomes.count(lost) == 1
    (won,) = set(outcomes) - {lost}
    assert versions.pin("d").version == won != first.version


def test_a_full_disk_is_told_as_such_and_the_file_is_described_later(versions):
    stored = put(versions, CSV)
    description = Description(rows=1, format=TableFormat.csv(), columns=[], head=[], warnings=[])
    found = description.model_dump(mode="json")
    answers = iter([OSError(28, "No space left on device"), found])

    def describe(*_):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    descriptions = Descriptions(versions, describe)
    with pytest.raises(errors.Unavailable, match="No space left"):
        descriptions.get(stored).result()
    assert descriptions.get(stored).result().rows == 1
    descriptions.close()


def test_a_list_reads_the_current_versions_of_its_own_data_sets_only(versions):
    for n in range(3):
        put(versions, CSV, dataset_id=f"d{n}")
    put(versions, OTHER, dataset_id="d1")

    found = read_current(versions.engine, ["d1", "d2", *(f"none{n}" for n in range(1000))])

    assert {dataset_id for dataset_id, _ in found} == {"d1", "d2"}
    assert read_current(versions.engine, []) == {}
