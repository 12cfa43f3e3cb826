"""Which versions are deleted, and which are needed, on a real database of each kind."""

import io

import pytest
import sqlalchemy as sa

from app import errors
from app.auth.grants import Grants, Kind
from app.database.engine import database_now
from app.database.tables import dataset_versions_table, loose_files_table, models_table
from app.datasets.loose_files import add_loose_file, delete_loose_files
from app.datasets.queries import read_versions
from app.datasets.retention import delete_dataset, delete_unneeded_versions
from app.datasets.version import Facts
from app.datasets.versions import DatasetVersions
from app.jobs.parts import forget_parts
from app.jobs.store import JobStore
from app.models.registry import CachedModelRegistry
from app.protocol.types import JobKind
from app.storage.batch_files import BatchFiles
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore
from app.storage.version_files import VersionFiles
from tests.support.files import CSV, keys
from tests.support.rows import REQUEST, RESULT

AGE = 3600.0


@pytest.fixture
def jobs(database_url):
    opened = JobStore(database_url)
    yield opened
    opened.close()


@pytest.fixture
def versions(settings, jobs):
    return DatasetVersions.of(jobs.engine, S3Client(settings), settings.s3_path_name)


def put(versions, number, dataset_id="d"):
    return versions.put(dataset_id, io.BytesIO(CSV + b"%d,0\n" % number), Facts)[0]


def age(versions, seconds=2 * AGE):
    """Make it so long ago that the versions were used."""
    with versions.engine.connect() as connection:
        connection.execute(
            sa.update(dataset_versions_table).values(pinned_at=database_now(-seconds))
        )


def train(jobs, version, job_id="m"):
    assert jobs.create(
        job_id, JobKind.TRAIN, version.dataset_id, REQUEST, dataset_version=version.version
    )


def complete(jobs, job_id="m"):
    assert jobs.complete_training(job_id, jobs.claim(job_id, "w"), *RESULT)


def known(versions, dataset_id="d"):
    return {each.version for each in read_versions(versions.engine, dataset_id, 10)}


def test_only_versions_that_nobody_needs_are_deleted(versions, jobs, s3, bucket):
    of_job, of_model, of_none, current = (put(versions, number) for number in range(4))
    train(jobs, of_job, "waits")
    train(jobs, of_model)
    complete(jobs)
    age(versions)

    assert delete_unneeded_versions(versions, AGE) == 1

    assert known(versions) == {of_job.version, of_model.version, current.version}
    assert of_none.file_key not in keys(s3, bucket)
    assert {of_job.file_key, of_model.file_key, current.file_key} <= set(keys(s3, bucket))
    assert delete_unneeded_versions(versions, AGE) == 0


def test_a_version_is_deleted_when_its_model_is(versions, jobs):
    first = put(versions, 1)
    put(versions, 2)
    train(jobs, first)
    complete(jobs)
    age(versions)
    with jobs.engine.connect() as connection:  # the row of its job is not kept
        connection.execute(sa.text("DELETE FROM jobs"))
    assert delete_unneeded_versions(versions, AGE) == 0

    CachedModelRegistry(jobs).delete("m")

    assert delete_unneeded_versions(versions, AGE) == 1
    assert first.version not in known(versions)


def test_a_version_that_was_used_of_late_stays(versions):
    first = put(versions, 1)
    put(versions, 2)
    age(versions)
    versions.pin("d", first.version)

    assert delete_unneeded_versions(versions, AGE) == 0

    assert first.version in known(versions)


def test_few_are_deleted_at_a_time(versions):
    for number in range(4):
        put(versions, number)
    age(versions)

    assert [delete_unneeded_versions(versions, AGE, batch=2) for _ in range(3)] == [2, 1, 0]


def test_a_deleted_data_set_is_not_there(versions, s3, bucket):
    stored = put(versions, 1)
    put(versions, 2)
    put(versions, 1, "other")
    age(versions)

    assert delete_dataset(versions, "d")

    assert known(versions) == set()
    assert len(keys(s3, bucket)) == 2  # the other one, and its version
    for version in (None, stored.version):
        with pytest.raises(errors.NotFound, match="no data set d"):
            versions.pin("d", version)
    assert not delete_dataset(versions, "d")
    assert put(versions, 1).version == stored.version
    assert versions.pin("d").version == stored.version


def test_a_file_of_another_client_is_deleted(versions, s3, bucket, settings):
    s3.put_object(Bucket=bucket, Key=f"{settings.s3_path_name}d.csv", Body=CSV)

    assert delete_dataset(versions, "d")

    assert keys(s3, bucket) == []


def test_a_job_that_waits_learns_from_a_deleted_data_set(versions, jobs, tmp_path):
    first, second = put(versions, 1), put(versions, 2)
    train(jobs, first)
    age(versions)

    assert delete_dataset(versions, "d")
    assert delete_unneeded_versions(versions, AGE) == 0

    found = versions.get("d", first.version)
    versions.download(found, str(tmp_path / "d"))
    assert (tmp_path / "d").read_bytes() == CSV + b"1,0\n"
    with pytest.raises(errors.NotFound):
        versions.get("d", second.version)
    complete(jobs)
    assert delete_unneeded_versions(versions, AGE) == 1
    with pytest.raises(errors.NotFound, match="was deleted"):
        versions.get("d", first.version)
    with versions.engine.connect() as connection:
        named = connection.scalar(sa.select(models_table.c.dataset_version))
    assert named == first.version


def test_a_version_that_is_being_accepted_outlives_its_data_set(versions, jobs):
    put(versions, 1)
    pinned = versions.pin("d")

    assert delete_dataset(versions, "d")

    assert versions.get("d", pinned.version).file_key == pinned.file_key
    train(jobs, pinned)
    age(versions)
    assert delete_unneeded_versions(versions, AGE) == 0


def loose(versions):
    with versions.engine.connect() as connection:
        return set(connection.scalars(sa.select(loose_files_table.c.file_key)))


def test_files_of_no_version_are_deleted(versions, s3, bucket):
    put(versions, 1)
    before = keys(s3, bucket)
    foreign = f"{versions.files.prefix}d/foreign"
    s3.put_object(Bucket=bucket, Key=foreign, Body=b"of another database")
    for number in range(3):  # a process was killed when it had stored them
        key = versions.files.new_key("d")
        add_loose_file(versions.engine, key)
        versions.files.put(key, io.BytesIO(b"%d" % number))

    def sweep(age):
        return delete_loose_files(versions.engine, versions.files, age, batch=2)

    assert sweep(AGE) == 0
    assert [sweep(-AGE) for _ in range(3)] == [2, 1, 0]
    assert sorted(keys(s3, bucket)) == sorted([*before, foreign])
    assert loose(versions) == set()


def test_no_connection_waits_while_files_are_deleted(versions, settings):
    held = []

    class Watched(VersionFiles):
        def delete(self, key):
            held.append(versions.engine.pool.checkedout())
            super().delete(key)

    add_loose_file(versions.engine, versions.files.new_key("d"))

    files = Watched(S3Client(settings), settings.s3_path_name)
    assert delete_loose_files(versions.engine, files, -AGE) == 1
    assert held == [0]


def test_the_upload_of_a_batch_job_stays_until_the_job_has_ended(versions, jobs, settings):
    files = BatchFiles(S3Client(settings), "batches/")
    for job_id in ("accepted", "killed"):
        add_loose_file(versions.engine, files.upload_key(job_id))
        files.put_upload(job_id, io.BytesIO(CSV))
    jobs.create("accepted", JobKind.BATCH, None, {}, folder=files.folder("accepted"))

    assert delete_loose_files(versions.engine, versions.files, -AGE) == 1

    assert loose(versions) == {files.upload_key("accepted")}
    files.open(files.upload_key("accepted")).close()
    with pytest.raises(errors.NotFound):
        files.open(files.upload_key("killed"))
    assert jobs.cancel("accepted")
    forget_parts(jobs.engine, "accepted")
    assert delete_loose_files(versions.engine, versions.files, -AGE) == 1


def test_the_file_that_a_version_had_before_is_loose(versions, s3, bucket):
    first, again = put(versions, 1), put(versions, 1)

    assert loose(versions) == {first.file_key}
    assert delete_loose_files(versions.engine, versions.files, -AGE) == 1
    assert again.file_key in keys(s3, bucket)
    assert first.file_key not in keys(s3, bucket)


def test_a_version_whose_file_cannot_be_deleted_leaves_a_loose_file(versions, jobs, settings):
    class Away(VersionFiles):
        def delete(self, key):
            raise errors.StorageUnavailable("away")

    first = put(versions, 1)
    put(versions, 2)
    age(versions)
    files = Away(S3Client(settings), settings.s3_path_name)
    without = DatasetVersions(versions.engine, versions.store, files)

    with pytest.raises(errors.StorageUnavailable):
        delete_unneeded_versions(without, AGE)

    assert loose(versions) == {first.file_key}
    assert first.version not in known(versions)


class FailingStore(DatasetStore):
    """Fails a deletion once: before it, or just after it, as if the database were away then."""

    failure: type[errors.Unavailable] | None = None

    def delete(self, dataset_id: str) -> None:
        failure, self.failure = self.failure, None
        if failure is not errors.StorageUnavailable:
            super().delete(dataset_id)
        if failure:
            raise failure("away")


@pytest.fixture
def shared(settings, jobs, versions):
    """A data set that others may read, and whose deletion may fail."""
    versions.store = FailingStore(S3Client(settings), settings.s3_path_name)
    put(versions, 1)
    Grants(jobs.engine).give(Kind.DATASET, "d", "blue")
    return versions


def readers(jobs):
    return Grants(jobs.engine).readers(Kind.DATASET, "d")


def test_a_deletion_that_fails_in_s3_changes_nothing(shared, jobs):
    shared.store.failure = errors.StorageUnavailable
    with pytest.raises(errors.StorageUnavailable):
        delete_dataset(shared, "d")

    assert shared.current("d")
    assert known(shared)
    assert readers(jobs) == {"blue"}


def test_a_second_deletion_does_what_the_first_one_left(shared, jobs):
    shared.store.failure = errors.DatabaseUnavailable
    with pytest.raises(errors.DatabaseUnavailable):
        delete_dataset(shared, "d")

    assert delete_dataset(shared, "d")
    assert (known(shared), readers(jobs)) == (set(), frozenset())
    assert not delete_dataset(shared, "d")


def test_a_new_data_set_is_not_shared_by_the_grants_of_one_whose_deletion_failed(shared, jobs):
    shared.store.failure = errors.DatabaseUnavailable
    with pytest.raises(errors.DatabaseUnavailable):
        delete_dataset(shared, "d")

    put(shared, 2)

    assert readers(jobs) == frozenset()


def test_a_data_set_that_is_replaced_stays_shared(shared, jobs):
    put(shared, 2)

    assert readers(jobs) == {"blue"}
