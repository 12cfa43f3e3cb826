"""Find jobs that were lost, done twice, stuck or done wrong. It knows only the job table.

accepted   a 202 was received, or the broker confirmed the message of a client that speaks AMQP only
lost       accepted, and no terminal row after healing and draining
stuck      a row that is not terminal after healing and draining, accepted or not
double     two transitions into TASK_COMPLETED, a result that changed, a terminal row that changed,
           an attempt that was begun twice, an Idempotency-Key that got two jobs, a call that a
           remote model got twice though it may get it once only
wrong      completed without the object the row names, or with another, or with the answer to
           another question; ended otherwise than the job must; cancelled though nobody asked, or
           not cancelled though that was promised; a training with other metrics than one that
           asked for the same, or without the folds that it asked for; attempts with gaps between
           them, or that are open though the job goes on or has ended
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import batches

Entry = Mapping[str, Any]

QUEUED, RUNNING = "TASK_QUEUED", "TASK_RUNNING"
COMPLETED, ERROR, CANCELLED = "TASK_COMPLETED", "TASK_ERROR", "TASK_CANCELLED"
TERMINAL = (COMPLETED, ERROR, CANCELLED)
CLEAR_ERRORS = ("bad_data", "invalid")  # what a job that cannot work must end with
# What a call that must not be repeated may end with: it may have been carried out.
UNCERTAIN = ("endpoint_failed", "endpoint_lost")
MAX_LOSSES = 10  # consumers that may be lost with a job


@dataclass
class Verdict:
    """The lists name ids, with the reason where there can be several."""

    accepted: set[str] = field(default_factory=set)
    by_amqp: set[str] = field(default_factory=set)
    predictions: set[str] = field(default_factory=set)
    completed: int = 0
    failed_as_must: int = 0
    cancelled: int = 0
    uncertain: int = 0
    gave_up: list[str] = field(default_factory=list)
    #: Confirmed by a broker whose data a fault threw away before anybody read them.
    gone_with_broker: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    #: Answers with a 500, which are bugs; a 503 is not.
    bugs: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    #: Jobs that more than one attempt was begun of, and those of them that completed.
    retried: int = 0
    recovered: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def holds(self) -> bool:
        """Whether every promise was kept, and there was one to keep."""
        return self.completed > 0 and not (
            self.lost or self.stuck or self.double or self.wrong or self.bugs
        )


def judge(
    calls: Sequence[Entry],
    jobs: Sequence[Entry],
    audit: Sequence[Entry],
    objects: Mapping[str, str],
    data_lost: list[float],
    max_failures: int,
    called: Mapping[int, int],
    attempts: Sequence[Entry] = (),
) -> Verdict:
    """Judge the answers that clients saw by the rows and files that are left.

    `objects` are the keys in the bucket with their sha256; `data_lost` when queues were emptied;
    `called` how often the remote model that may be called once got each number; `attempts` the
    rows of all attempts, in order.
    """
    verdict = Verdict()
    rows = {row["id"]: row for row in jobs}
    asked = accepted(calls)
    deletes = [call for call in calls if call["what"] == "delete"]
    verdict.accepted = set(asked)
    verdict.by_amqp = {job for job, call in asked.items() if call["what"] == "amqp"}
    verdict.predictions = {job for job, call in asked.items() if call["what"] == "async"}
    verdict.bugs = [f"{call['what']}: {call}" for call in calls if call["status"] == 500]
    verdict.stuck = [f"{row['id']}: {row['state']}" for row in jobs if row["state"] not in TERMINAL]
    verdict.double = [*doubles(audit), *split_keys(calls)]
    verdict.double += [f"{number}: called {n} times" for number, n in called.items() if n > 1]
    maybe_cancelled = {call["job"] for call in deletes if call["status"] in (200, 0)}
    for job, call in asked.items():
        if job in rows:
            _end(verdict, rows[job], call, max_failures)
            if rows[job]["state"] == CANCELLED and job not in maybe_cancelled:
                verdict.wrong.append(f"{job}: cancelled, and nobody asked for it")
        elif call["what"] == "amqp" and any(call["at"] <= at for at in data_lost):
            verdict.gone_with_broker.append(job)
        else:
            verdict.lost.append(f"{job}: no row")
    for call in deletes:
        state = rows.get(call["job"], {}).get("state")
        if call["status"] == 200 and state != CANCELLED:
            verdict.wrong.append(f"{call['job']}: {state} though cancelled with a 200")
    verdict.wrong += [*bad_objects(jobs, objects), *unequal(jobs), *bad_attempts(jobs, attempts)]
    verdict.orphans = orphans(jobs, objects)
    again = {row["id"] for row in jobs if (row["attempt"] or 0) > 1}
    verdict.retried = len(again)
    verdict.recovered = sum(1 for job in again if rows[job]["state"] == COMPLETED)
    return verdict


def accepted(calls: Sequence[Entry]) -> dict[str, Entry]:
    """Return the first promise made of each job."""
    found: dict[str, Entry] = {}
    for call in calls:
        if call["what"] in ("train", "amqp", "async", "batch") and call["status"] == 202:
            found.setdefault(call["id"], call)
    return found


def _end(verdict: Verdict, row: Entry, call: Entry, max_failures: int) -> None:
    """Count how an accepted job ended."""
    job, state, must_fail = row["id"], row["state"], call["sort"] == "bad"
    if state not in TERMINAL:
        verdict.lost.append(f"{job}: {state}, attempt {row['attempt']}")
    elif state == CANCELLED:
        verdict.cancelled += 1
    elif state == COMPLETED:
        verdict.completed += 1
        if must_fail:
            verdict.wrong.append(f"{job}: completed, though it cannot work")
        elif not _answers(row, call):
            verdict.wrong.append(f"{job}: asked for {call['number']}, answered {row['result']}")
    else:
        kind = (row["error"] or {}).get("type")
        verdict.errors[str(kind)] += 1
        if must_fail and kind in CLEAR_ERRORS:
            verdict.failed_as_must += 1
        elif call["sort"] == "once" and kind in UNCERTAIN:
            verdict.uncertain += 1
        elif (row.get("failures") or 0) >= max_failures or (row.get("losses") or 0) >= MAX_LOSSES:
            verdict.gave_up.append(f"{job}: {kind}")
        else:
            verdict.wrong.append(f"{job}: {row['error']}")


def _answers(row: Entry, call: Entry) -> bool:
    """Tell whether a completed job has the right answer, where that is known."""
    number = call.get("number")
    return number is None or row["result"]["prediction"] == number


def doubles(audit: Sequence[Entry]) -> list[str]:
    """Find effects that happened twice, and ends that were no ends."""
    found, ends, attempts = [], Counter[str](), defaultdict[str, set[int]](set)
    for line in audit:
        job = line["id"]
        if line["op"] == "DELETE" and ".part-" in job:
            continue  # the parts of an ended batch job are deleted with their files
        if line["op"] == "DELETE":
            found.append(f"{job}: its row was deleted")
            continue
        if line["old_state"] in TERMINAL:
            found.append(f"{job}: {line['old_state']} became {line['state']}, or changed")
        if line["old_key"] and line["old_key"] != line["result_key"]:
            found.append(f"{job}: its result {line['old_key']} became {line['result_key']}")
        if line["state"] == COMPLETED and line["old_state"] != COMPLETED:
            ends[job] += 1
        if line["state"] == RUNNING:
            if line["attempt"] in attempts[job]:
                found.append(f"{job}: attempt {line['attempt']} was begun twice")
            attempts[job].add(line["attempt"])
    return found + [f"{job}: completed {times} times" for job, times in ends.items() if times > 1]


def bad_attempts(jobs: Sequence[Entry], attempts: Sequence[Entry]) -> list[str]:
    """Find jobs whose rows of attempts have gaps, or are open when they must not be.

    A job keeps its newest attempts only, so the first ones may be missing.
    """
    found, rows = [], defaultdict[str, list[Entry]](list)
    for each in attempts:
        rows[each["job_id"]].append(each)
    known = {row["id"]: row for row in jobs}
    for job, mine in rows.items():
        numbers = [each["attempt"] for each in mine]
        if numbers != list(range(numbers[0], numbers[-1] + 1)):
            found.append(f"{job}: attempts {numbers}")
        still = [each["attempt"] for each in mine if each["ended_at"] is None]
        row = known.get(job)
        if row is None:
            found.append(f"{job}: attempts without a job")
        elif numbers[-1] != row["attempt"]:
            found.append(f"{job}: attempt {row['attempt']}, and {numbers[-1]} is the last row")
        elif still and (row["state"] != RUNNING or still != [row["attempt"]]):
            found.append(f"{job}: {row['state']}, and attempts {still} are open")
    return found


def split_keys(calls: Sequence[Entry]) -> list[str]:
    """Find keys of clients that were given more than one job."""
    jobs = defaultdict[str, set[str]](set)
    for call in calls:
        if call.get("key") and call["status"] == 202:
            jobs[call["key"]].add(call["id"])
    return [f"{key}: one key, {len(ids)} jobs" for key, ids in jobs.items() if len(ids) > 1]


def bad_objects(jobs: Sequence[Entry], objects: Mapping[str, str]) -> list[str]:
    """Find published results that are missing or have changed."""
    found = []
    for row in jobs:
        if row["kind"] == "batch" and row["state"] == COMPLETED:
            sha256 = objects.get(row["result_key"])
            if sha256 != row["result_sha256"]:
                found.append(f"{row['id']}: {row['result_key']} is not what was published")
            elif sha256 != batches.wanted():
                found.append(f"{row['id']}: {row['result_key']} is not the right result")
        if row["kind"] != "train":
            continue
        if row["state"] == COMPLETED:
            sha256 = objects.get(f"{row['result_key']}model.onnx")
            if sha256 is None or f"{row['result_key']}metadata.json" not in objects:
                found.append(f"{row['id']}: {row['result_key']} is not in the bucket")
            elif sha256 != row["result_sha256"]:
                found.append(f"{row['id']}: {row['result_key']} has changed since it was published")
        elif row["result_key"]:
            found.append(f"{row['id']}: {row['state']} with a result")
    return found


def unequal(jobs: Sequence[Entry]) -> list[str]:
    """Find trainings that measured otherwise than equal ones did, or not all their folds.

    Most were not disturbed, so a retry that ends otherwise than an undisturbed one is found.
    """
    found, first = [], dict[str, tuple[str, Any]]()
    for row in jobs:
        request, summary = row.get("request"), row.get("fit_summary") or {}
        if row["kind"] != "train" or row["state"] != COMPLETED or not request:
            continue
        measured = row.get("metrics"), summary.get("cross_validation")
        if (cv := request.get("cv")) and not _has_folds(summary, cv["folds"] * cv["repeats"]):
            found.append(f"{row['id']}: asked for {cv}, measured {measured[1]}")
        asked = {name: value for name, value in request.items() if name != "model_id"}
        other, theirs = first.setdefault(json.dumps(asked, sort_keys=True), (row["id"], measured))
        if theirs != measured:
            found.append(f"{row['id']}: measured otherwise than {other}, which asked for the same")
    return found


def _has_folds(summary: Entry, count: int) -> bool:
    scores = summary.get("cross_validation") or {}
    return bool(scores) and all(len(each["folds"]) == count for each in scores.values())


def orphans(jobs: Sequence[Entry], objects: Mapping[str, str]) -> list[str]:
    """Return the folders of models that no row points at: late losers, and nobody's harm."""
    models = [key for key in objects if key.startswith("models/")]
    folders = {key.rpartition("/")[0] + "/" for key in models}
    return sorted(folders - {row["result_key"] for row in jobs})
