"""Break everything for a while and count what was lost: `python -m tests.chaos --seconds 600`.

Exit status 1 when a promise was broken, 2 when the harness itself failed.
"""

import argparse
import logging
import secrets
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep, time

from tests.chaos import evidence, hostile, report
from tests.chaos.conclusion import conclude
from tests.chaos.journal import Journal
from tests.chaos.load import Load
from tests.chaos.report import progress
from tests.chaos.schedule import Schedule
from tests.chaos.world import World

SHORT = 120  # below it only the quick kinds of faults, for CI
# Seconds without any change after which jobs count as stuck: longer than a lease and all retries.
PATIENCE = {True: 30.0, False: 90.0}
MAX_ATTEMPTS = 4  # the product's own default
WARM_UP = 3.0


def main() -> int:
    """Run once and print the report."""
    asked = arguments()
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="warren-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    progress(f"chaos: seed {asked.seed}, {asked.seconds:.0f} s, journals and logs in {folder}")
    settings = {}
    if asked.max_attempts != MAX_ATTEMPTS:
        settings["MAX_ATTEMPTS"] = str(asked.max_attempts)
    if asked.hostile:
        settings |= hostile.SETTINGS
    with World(folder, settings, proxied=not asked.hostile) as world:
        page, holds = (hostile.run if asked.hostile else chaos)(world, asked)
    (folder / "report.md").write_text(page)
    sys.stdout.write(page)
    return 0 if holds else 1


def chaos(world: World, asked: argparse.Namespace) -> tuple[str, bool]:
    """Send jobs and faults, heal, drain, judge; return the page and whether all promises held."""
    calls, faults = Journal(world.folder / "calls.jsonl"), Journal(world.folder / "faults.jsonl")
    short = asked.seconds < SHORT
    load = Load(world.address, world.login(), calls, asked.seed)
    begin = time()
    load.start(asked.rate)
    sleep(WARM_UP)
    try:
        Schedule(world, faults, asked.seed, short).run(asked.seconds - WARM_UP)
    finally:
        end = time()
        load.stop()
    progress(f"chaos: {len(faults.entries())} faults are over; waiting for the jobs in flight")
    drained = drain(world, PATIENCE[short])
    run = conclude(world, asked, calls.entries(), faults.entries(), (begin, end), drained)
    return report.render(run), run.verdict.holds


def drain(world: World, patience: float) -> float | None:
    """Wait until no job is in work; return how long that took.

    None if it came to a halt: nothing has changed for as long as `patience`.
    """
    begun = changed = monotonic()
    before = (0, 0)
    while any(left := evidence.in_work(world)):
        if left != before:
            before, changed = left, monotonic()
        if monotonic() > min(changed + patience, begun + 10 * patience):
            return None
        sleep(0.5)
    return monotonic() - begun


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long faults are injected")
    parser.add_argument(
        "--hostile",
        action="store_true",
        help="inject no faults, but let hostile clients attack after a third of the time",
    )
    parser.add_argument(
        "--attacks",
        default="",
        metavar="PART,PART",
        help="with --hostile, only those whose name contains one of these",
    )
    parser.add_argument(
        "--untimed",
        dest="timed",
        action="store_false",
        help="with --hostile, report how much slower predictions were, but do not judge it, and "
        "attack after a seventh of the time",
    )
    parser.add_argument("--seed", type=int, default=None, help="draws jobs and faults")
    parser.add_argument("--rate", type=float, default=5, help="jobs a second")
    parser.add_argument("--max-attempts", type=int, default=MAX_ATTEMPTS)
    parser.add_argument("--folder", type=Path, help="for the journals and logs; else a new one")
    asked = parser.parse_args()
    if asked.seed is None:
        asked.seed = secrets.randbelow(10**6)
    asked.commit = report.commit()  # now: the tree may change under a long run
    return asked


if __name__ == "__main__":
    raise SystemExit(main())
