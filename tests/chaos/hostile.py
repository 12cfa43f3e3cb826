"""The run with hostile neighbours: a quiet phase, then attacks of every kind at a time."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import httpx2

from devstack.demo import TRAIN
from devstack.subprocesses import end_group
from tests.chaos import hostile_report, report
from tests.chaos.conclusion import conclude
from tests.chaos.hostile_oracle import SETTLING, judge_harm
from tests.chaos.journal import Journal
from tests.chaos.load import Load
from tests.chaos.memory import MemoryWatch
from tests.chaos.neighbour import is_hostile
from tests.chaos.oracle import COMPLETED, TERMINAL
from tests.chaos.processor_time import processor_seconds
from tests.chaos.service import ROOT
from tests.chaos.world import World
from tests.support.waiting import until

QUIET = {True: 1 / 3, False: 1 / 7}  # of the seconds of a run, if it is timed or not
ASKS, JOBS = 40.0, 2.0  # predictions, and jobs, a second
PATIENCE = 60.0  # seconds without any change after which jobs of ours count as stuck
# What an operator gives to a container of the size that the watch allows; else the memory of the
# machine counts.
SETTINGS = {"MODEL_MEMORY": "1000000000", "FIT_MEMORY": "1000000000"}


def run(world: World, asked: argparse.Namespace) -> tuple[str, bool]:
    """Return the page and whether nobody was harmed.

    Unless the run is `timed`, the 99th centile is reported and not judged.
    """
    calls = Journal(world.folder / "calls.jsonl")
    model = trained(world.address)
    load = Load(world.address, world.login(), calls, asked.seed, model)
    watch = MemoryWatch(world.services)
    with client(world.folder, "neighbours", world.address, asked.attacks) as neighbours:
        report.progress("chaos: the neighbours prepare their attacks")
        ready(neighbours)
        before = {name: len(service.ends) for name, service in world.services.items()}
        watch.start()
        with (
            client(world.folder, "steady", world.address, model, str(ASKS)) as steady,
            client(world.folder, "idle") as idle,
        ):
            first = time()
            load.start(JOBS)
            quiet = asked.seconds * QUIET[asked.timed]
            sleep(quiet)
            report.progress("chaos: the quiet phase is over, and the attacks begin")
            leaders = {"neighbours": neighbours.pid} | {
                name: service.pid for name, service in world.services.items()
            }
            begin, computed = time(), computed_by(leaders)
            attack(neighbours, asked.seconds - quiet)
            sleep(asked.seconds - quiet)
            end, after = time(), computed_by(leaders)
            steady.communicate()  # it waits for its answers
            idle.communicate()
        load.stop()
        if not asked.timed:
            cancel_hostile(world)  # else they hold half of the slots that train
        drained = drain(world)
    watch.stop()
    ended = [
        f"{name}: status {status}"
        for name, service in world.services.items()
        for _, _, status in service.ends[before[name] :]
    ]
    page = conclude(world, asked, calls.entries(), [], (first, end), drained, ours)
    asks = entries(world.folder / "steady.jsonl")
    cores = {name: (after[name] - computed[name]) / (end - begin) for name in leaders}
    harm = judge_harm(
        asks, page.calls, page.jobs, ended, begin, end, cores["neighbours"], timed=asked.timed
    )
    control = split(entries(world.folder / "idle.jsonl"), begin, end)
    attacks = entries(world.folder / "neighbours.jsonl")
    text = hostile_report.render(page, harm, attacks, watch, cores, control)
    return text, page.verdict.holds and harm.holds


def split(waits: list[dict[str, Any]], begin: float, end: float) -> tuple[list[float], list[float]]:
    """Return the seconds of the control, before the attacks and during them."""
    quiet = [each["seconds"] for each in waits if each["at"] < begin]
    return quiet, [each["seconds"] for each in waits if begin + SETTLING <= each["at"] < end]


def computed_by(leaders: dict[str, int]) -> dict[str, float]:
    """Return the seconds that each of some processes has computed, with its children."""
    return {name: processor_seconds(pid) for name, pid in leaders.items()}


def ready(neighbours: subprocess.Popen[str]) -> None:
    """Wait until the neighbours have prepared their attacks."""
    if not neighbours.stdout or neighbours.stdout.readline() != "ready\n":
        raise RuntimeError("the neighbours cannot prepare their attacks; see neighbours.log")


def attack(neighbours: subprocess.Popen[str], seconds: float) -> None:
    """Have the neighbours attack for some seconds."""
    if neighbours.stdin:
        neighbours.stdin.write(f"{seconds}\n")
        neighbours.stdin.flush()


def ours(request: dict[str, Any]) -> bool:
    return not is_hostile(request)


def trained(url: str) -> str:
    """Train a model of the well-behaved clients; return its id."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=30) as http:
        answer = http.post("/train", json=TRAIN).raise_for_status()
        job = str(answer.json()["message"]["model_id"])
        until(lambda: http.get(f"/jobs/{job}").json()["state"] == COMPLETED, "a model", 30)
        return job


def cancel_hostile(world: World) -> None:
    """Cancel the jobs of the neighbours that have not ended."""
    with httpx2.Client(base_url=world.address, trust_env=False, timeout=30) as http:
        for row in world.database.jobs():
            if row["state"] not in TERMINAL and is_hostile(row["request"]):
                http.delete(f"/jobs/{row['id']}")


def drain(world: World) -> float | None:
    """Wait until all jobs of ours have ended; return how long that took.

    None if they came to a halt: none of them has changed for as long as `PATIENCE`.
    """
    begun = changed = monotonic()
    before: list[Any] = []
    while left := [
        (row["id"], row["state"], row["attempt"], row["progress"])
        for row in world.database.jobs()
        if row["state"] not in TERMINAL and ours(row["request"])
    ]:
        if left != before:
            before, changed = left, monotonic()
        if monotonic() > changed + PATIENCE:
            return None
        sleep(0.5)
    return monotonic() - begun


@contextmanager
def client(folder: Path, name: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program of clients that writes a journal; yield its process."""
    command = [
        sys.executable,
        "-m",
        f"tests.chaos.{name}",
        str(folder / f"{name}.jsonl"),
        *more,
    ]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            text=True,
        )
    try:
        yield process
    finally:
        end_group(process)


def entries(path: Path) -> list[dict[str, Any]]:
    """Read a journal; its last line may be cut, for its writer was ended."""
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]
