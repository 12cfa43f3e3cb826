"""What is left when all is over, collected and judged."""

import argparse
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.chaos import evidence, figures
from tests.chaos.oracle import judge
from tests.chaos.report import Run
from tests.chaos.schedule import DATA_LOST
from tests.chaos.world import World

Entries = list[dict[str, Any]]


def conclude(
    world: World,
    asked: argparse.Namespace,
    calls: Entries,
    faults: Entries,
    times: tuple[float, float],
    drained: float | None,
    ours: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> Run:
    """Judge the jobs that are `ours`. `times` are when the run began and ended."""
    jobs = world.database.jobs()
    others = {row["id"] for row in jobs if not ours(row["request"])}
    jobs = [row for row in jobs if row["id"] not in others]
    attempts = [row for row in world.database.attempts() if row["job_id"] not in others]
    audit = [line for line in world.database.audit() if line["id"] not in others]
    evidence.keep(world.folder, "audit", audit)
    evidence.keep(world.folder, "jobs", jobs)
    evidence.keep(world.folder, "attempts", attempts)
    objects = {
        key: sha256
        for key, sha256 in evidence.objects(world).items()
        if key.split("/")[1] not in others
    }
    lost = [fault["end"] for fault in faults if fault["kind"] in DATA_LOST]
    form = "--hostile " if asked.hostile else ""
    return Run(
        command=f"python -m tests.chaos {form}--seconds {asked.seconds:.0f} --seed {asked.seed}",
        seed=asked.seed,
        commit=asked.commit,
        begin=times[0],
        end=times[1],
        drained=drained,
        settings=world.settings,
        servers=world.versions(),
        calls=calls,
        faults=faults,
        jobs=jobs,
        audit=audit,
        said=figures.said(world.logs()),
        restarts={
            name: Counter(status for _, _, status in service.ends)
            for name, service in world.services.items()
        },
        dead_letters=evidence.dead_letters(world),
        verdict=judge(
            calls,
            jobs,
            audit,
            objects,
            lost,
            asked.max_attempts,
            evidence.called(world),
            attempts,
        ),
    )
