"""The log of a job in a database of each kind."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.database.tables import job_lines_table, jobs_table
from app.jobs.job_log import LATE_SECONDS, MAX_LINES, LoggedAttempt, read_log, write_lines
from app.jobs.retention import Retention, delete_old_jobs
from app.observability.job_lines import FIRST, LAST, KeptLines
from app.protocol.types import JobKind
from tests.support.rows import accept, put, run

NOW = datetime(2026, 1, 31, 12, 0, 0, 123_000, UTC)
OF = LoggedAttempt("m", 1, "host:1:train-0")


def lines(*texts):
    """Lines that are not written yet."""
    kept = KeptLines()
    for text in texts:
        kept.add(NOW, "INFO", text)
    return kept.unwritten()


def write(store, *texts, of=OF, ended=False):
    return write_lines(store.engine, of, lines(*texts), ended=ended)


def read(store, job_id="m", **options):
    return read_log(store.engine, job_id, **options)


def texts(store, **options):
    return [each.text for each in read(store, **options).lines]


def size(store, job_id="m"):
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(jobs_table.c.size).where(jobs_table.c.id == job_id))


def test_lines_of_all_attempts_are_read_in_the_order_of_their_writing(store):
    run(store)
    write(store, "a", "b")
    write(store, "c", of=LoggedAttempt("m", 2, "other:1:train-0"))

    log = read(store)
    assert [(each.number, each.attempt, each.text, each.consumer) for each in log.lines] == [
        (1, 1, "a", "host:1:train-0"),
        (2, 1, "b", "host:1:train-0"),
        (3, 2, "c", "other:1:train-0"),
    ]
    assert log.lines[0].time == NOW
    assert log.lines[0].part is None
    assert (log.job_id, log.total, log.left_out, log.complete) == ("m", 3, 0, False)


def test_a_reader_goes_on_behind_what_it_has_read(store):
    run(store)
    write(store, "a", "b", "c")
    assert texts(store, limit=2) == ["a", "b"]
    assert texts(store, after=2, limit=2) == ["c"]
    assert texts(store, after=3) == []
    write(store, "d")
    assert texts(store, after=3) == ["d"]


def test_the_first_and_the_last_lines_of_a_job_are_kept(store):
    run(store)
    before = size(store)
    for begin in range(0, 900, 300):
        write(store, *(f"{number:04}" for number in range(begin, begin + 300)))

    log = read(store)
    numbers = [each.number for each in log.lines]
    assert numbers == [*range(1, FIRST + 1), *range(900 - LAST + 1, 901)]
    assert [int(each.text) + 1 for each in log.lines] == numbers
    assert (log.total, log.left_out) == (900, 900 - MAX_LINES)
    assert size(store) == before + 4 * MAX_LINES


def test_lines_that_were_left_out_before_the_writing_leave_a_gap(store):
    run(store)
    kept = KeptLines(first=1, last=1)
    for text in "abcd":
        kept.add(NOW, "INFO", text)
    write_lines(store.engine, OF, kept.unwritten())
    kept.mark_written(4)
    kept.add(NOW, "INFO", "e")
    write_lines(store.engine, OF, kept.unwritten())

    log = read(store)
    assert [(each.number, each.text) for each in log.lines] == [(1, "a"), (4, "d"), (5, "e")]
    assert (log.total, log.left_out) == (5, 2)


def test_parts_write_into_the_log_of_their_batch_job_at_the_same_time(store):
    run(store, kind=JobKind.BATCH)

    def score(part):
        of = LoggedAttempt("m", 1, f"host:1:part-{part}", part)
        return [write(store, f"{part}: {n}", of=of, ended=n == 9) for n in range(10)]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(each) for each in pool.map(score, range(4)))

    log = read(store)
    assert [each.number for each in log.lines] == list(range(1, 41))
    for part in range(4):
        of_part = [each.text for each in log.lines if each.part == part]
        assert of_part == [f"{part}: {n}" for n in range(10)]


def test_a_log_is_complete_once_the_last_attempt_of_an_ended_job_is(store):
    attempt = run(store)
    write(store, "a", ended=True)
    assert not read(store).complete  # the job has not ended
    store.release("m", attempt)
    store.claim("m", "worker")
    store.fail("m", 2, {"type": "bad_data", "detail": "no"})
    assert not read(store).complete
    write(store, "b", "c", of=LoggedAttempt("m", 2, "w"), ended=True)
    assert read(store).complete
    assert not read(store, limit=2).complete
    assert read(store, after=2).complete
    write(store, "late", of=OF, ended=True)
    assert read(store).complete


def test_nobody_waits_for_the_lines_of_a_consumer_that_is_lost(store):
    run(store)
    store.cancel("m")
    assert not read(store).complete
    put(store, "m", ended_at=-LATE_SECONDS - 1)
    assert read(store).complete


def test_the_log_of_a_prediction_is_empty_and_complete_at_its_end(store):
    accept(store, kind=JobKind.PREDICT)
    assert (read(store).lines, read(store).complete) == ([], False)
    store.cancel("m")
    assert read(store).complete


@pytest.mark.parametrize("job_id", ["nobody", "latest", "red~latest", "batch.part-0"])
def test_there_is_no_log_of_no_job(store, job_id):
    if job_id.startswith("batch"):
        run(store, "batch", kind=JobKind.BATCH)
        accept(store, "batch.part-0", kind=JobKind.PART)
        put(store, "batch.part-0", parent="batch", part=0)
    assert read(store, job_id) is None


def test_latest_is_the_newest_job_of_its_owner(store):
    run(store)
    run(store, "red~r")
    write(store, "a")
    assert read(store, "latest").job_id == "m"
    assert read(store, "red~latest").job_id == "red~r"


def test_a_job_that_is_deleted_gets_no_lines(store):
    assert not write(store, "a", ended=True)
    with store.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(job_lines_table)) == 0


def test_the_log_of_a_job_is_deleted_with_it(store):
    for job_id in ("m", "n"):
        run(store, job_id)
        write(store, "a", of=LoggedAttempt(job_id, 1, "w"))
    store.cancel("m")
    put(store, "m", ended_at=-10 * 86_400)

    assert delete_old_jobs(store.engine, Retention(days=5, jobs=100, size=10**9)) == 1

    with store.engine.connect() as connection:
        assert set(connection.scalars(sa.select(job_lines_table.c.job_id))) == {"n"}


def test_the_texts_count_for_the_size_by_which_jobs_are_kept(store):
    run(store)
    write(store, "x" * 900)
    store.cancel("m")
    assert delete_old_jobs(store.engine, Retention(days=5, jobs=100, size=899)) == 1
