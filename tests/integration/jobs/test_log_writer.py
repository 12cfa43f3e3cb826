"""The thread that writes the logs of jobs: it delays no attempt, and gives up at the end only."""

import logging
from contextvars import Context
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.jobs.job_log import LoggedAttempt, read_log, write_lines
from app.jobs.log_writer import JobLogWriter
from app.jobs.store import JobStore
from app.observability.job_lines import JobLineHandler, KeptLines
from tests.conftest import migrate
from tests.support.log_lines import kept_lines
from tests.support.lost_commits import lost_commits
from tests.support.rows import run
from tests.support.waiting import until

OF = LoggedAttempt("m", 1, "w")
LOGGER = logging.getLogger("app.test_log_writer")
SECONDS = 20


@pytest.fixture(autouse=True)
def handled():
    """The handler that a consumer has."""
    handler, root, level = JobLineHandler(), logging.getLogger(), LOGGER.level
    root.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    yield
    root.removeHandler(handler)
    LOGGER.setLevel(level)


@pytest.fixture
def away(tmp_path):
    """A database whose folder is missing."""
    made = JobStore(f"sqlite:///{tmp_path}/later/jobs.db")
    yield made
    made.close()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def write(writer):
    """Let a writer write, which keeps no lines itself: a thread has a context of its own."""
    Context().run(writer.write)


def texts(store):
    return [each.text for each in read_log(store.engine, "m").lines]


def test_the_lines_of_an_attempt_are_written_while_it_runs_and_at_its_end(store):
    run(store)
    writer = JobLogWriter(store.engine, seconds=0.01)
    writer.start()
    try:
        with writer.kept(OF):
            LOGGER.info("begun")
            until(lambda: texts(store) == ["begun"], "the line is written")
            LOGGER.warning("ended")
        store.fail("m", 1, {"type": "bad_data", "detail": "no"})
        until(lambda: read_log(store.engine, "m").complete, "the log is complete")
        assert texts(store) == ["begun", "ended"]
    finally:
        writer.stop()
        writer.join(SECONDS)
    assert not writer.is_alive()


def test_the_end_of_an_attempt_is_written_at_once(store):
    run(store)
    writer = JobLogWriter(store.engine, seconds=3600)
    writer.start()
    with writer.kept(OF):
        LOGGER.info("a")
    until(lambda: texts(store) == ["a"], "the line is written")
    writer.stop()
    writer.join(SECONDS)
    assert not writer.is_alive()


def test_a_writer_that_is_stopped_waits_for_the_attempts_in_hand(store):
    run(store)
    writer = JobLogWriter(store.engine, seconds=0.01)
    writer.start()
    with writer.kept(OF):
        writer.stop()
        LOGGER.info("the last word")
    writer.join(SECONDS)
    assert not writer.is_alive()
    assert texts(store) == ["the last word"]


def test_several_lines_are_one_transaction_and_none_are_no_statement(store):
    run(store)
    writer, commits = JobLogWriter(store.engine), []
    sa.event.listen(store.engine, "commit", commits.append)
    with writer.kept(OF):
        write(writer)
        assert not commits
        for number in range(50):
            LOGGER.info("%d", number)
        write(writer)
        assert len(commits) == 1
        write(writer)
        assert len(commits) == 1
    assert len(texts(store)) == 50


def test_lines_wait_for_the_database_and_are_dropped_a_while_after_the_end(away):
    clock = Clock()
    writer = JobLogWriter(away.engine, keep_seconds=60, clock=clock)
    with kept_lines("app.jobs.log_writer") as said:
        with writer.kept(OF):
            LOGGER.info("a")
            write(writer)
            LOGGER.info("b")
        write(writer)
        clock.now = 59.0
        write(writer)
        assert [each[2].partition(":")[0] for each in said] == ["the logs of jobs wait in memory"]
        clock.now = 60.0
        write(writer)
        write(writer)
    assert [each[2] for each in said[1:]] == ["2 lines of the log of job m are dropped"]


def test_lines_that_waited_are_written_once_the_database_is_there(away, tmp_path):
    writer = JobLogWriter(away.engine)
    with writer.kept(OF):
        LOGGER.info("a")
        write(writer)
        (tmp_path / "later").mkdir()
        migrate(str(away.engine.url))
        run(away)
        LOGGER.info("b")
        write(writer)
        assert texts(away) == ["a", "b"]


@pytest.mark.parametrize("after", [True, False], ids=["after the commit", "before it"])
@pytest.mark.parametrize("more", [[], ["c"]], ids=["no more lines", "more lines"])
def test_lines_are_written_once_if_the_connection_was_lost(store, after, more):
    run(store)
    writer = JobLogWriter(store.engine)
    with writer.kept(OF):
        LOGGER.info("a")
        LOGGER.info("a")
        with lost_commits(store.engine, after=after) as lost:
            write(writer)
        assert texts(store) == ["a", "a"] * after
        for each in more:
            LOGGER.info(each)
        write(writer)
        write(writer)
    assert len(lost) == 1
    log = read_log(store.engine, "m")
    assert [(each.number, each.text) for each in log.lines] == [*enumerate(["a", "a", *more], 1)]
    assert (log.total, log.left_out) == (2 + len(more), 0)


@pytest.mark.parametrize("after", [True, False], ids=["after the commit", "before it"])
def test_lines_are_written_once_if_others_write_meanwhile(store, after):
    run(store)
    writer = JobLogWriter(store.engine)
    with writer.kept(OF):
        LOGGER.info("a")
        with lost_commits(store.engine, after=after) as lost:
            write(writer)
            write(writer)  # nor does the question get an answer
        lines = KeptLines()
        lines.add(datetime.now(UTC), "INFO", "other")
        write_lines(store.engine, LoggedAttempt("m", 1, "w", part=3), lines.unwritten())
        LOGGER.info("b")
    write(writer)
    assert len(lost) == 2
    assert texts(store) == (["a", "other", "b"] if after else ["other", "a", "b"])


def test_the_end_of_an_attempt_is_known_if_the_connection_was_lost(store):
    run(store)
    writer = JobLogWriter(store.engine)
    with writer.kept(OF):
        LOGGER.info("a")
    with lost_commits(store.engine, after=True):
        write(writer)
    store.fail("m", 1, {"type": "bad_data", "detail": "no"})
    write(writer)
    log = read_log(store.engine, "m")
    assert ([each.text for each in log.lines], log.complete) == (["a"], True)


def test_a_stop_does_not_wait_for_a_database_that_is_away(away):
    writer = JobLogWriter(away.engine, seconds=0.01)
    writer.start()
    with writer.kept(OF):
        LOGGER.info("a")
    writer.stop()
    writer.join(SECONDS)
    assert not writer.is_alive()


def test_a_bug_ends_neither_the_thread_nor_the_attempt(store):
    run(store)
    writer, broken = JobLogWriter(store.engine), []

    def fail(*_):
        if not broken:
            broken.append(True)
            raise AssertionError

    sa.event.listen(store.engine, "before_cursor_execute", fail)
    with kept_lines("app.jobs.log_writer") as said, writer.kept(OF):
        LOGGER.info("a")
        write(writer)
        LOGGER.info("b")
        write(writer)
    assert [each[2] for each in said] == ["lines of the log of job m are dropped"]
    assert texts(store) == ["b"]
