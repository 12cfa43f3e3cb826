"""Run the fuzzing: `python -m tests.fuzz --cases 5000 --seed 1`, and `--only 17` to repeat one."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path
from random import Random
from time import monotonic

import httpx2

from devstack.program import tail
from tests.fuzz import calls, messages, models, trainings, warren, web
from tests.fuzz.amqp import Publisher
from tests.fuzz.calls import Call
from tests.fuzz.messages import Letter
from tests.fuzz.warren import Warren

BLOCK = 1000  # cases between two canaries
AMQP_SHARE = 0.3
SHOWN = 4000  # bytes of a case
BOUNDED = "how many to draw that must keep their bounds; or the first-last to repeat"


def case(seed: int, number: int) -> Call | Letter:
    """Make a case; it depends on nothing else."""
    rng = Random(f"{seed}:{number}")
    return messages.make(rng) if rng.random() < AMQP_SHARE else calls.make(rng)


def main() -> int:
    """Fuzz; return the exit status."""
    arguments = parse()
    first, last = arguments.only or (0, arguments.cases - 1)
    print(f"fuzzing {last - first + 1} cases, seed {arguments.seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="warren-fuzz-") as folder,
        warren.running(Path(folder), arguments.database) as target,
    ):
        failed = run(target, arguments.seed, first, last) if last >= first else 0
        return (
            failed
            or run_models(target, arguments.seed, arguments.models)
            or run_trainings(arguments.seed, arguments.trainings)
        )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--only", type=span, help="the number of a case, or first-last")
    parser.add_argument("--models", type=span_of, default=range(300), metavar="N", help=BOUNDED)
    parser.add_argument("--trainings", type=span_of, default=range(300), metavar="N", help=BOUNDED)
    return parser.parse_args()


def span_of(text: str) -> range:
    """Read `300`, as many cases, or `17-17`, those with these numbers."""
    first, last = span(text)
    return range(first, last + 1) if "-" in text else range(last)


def span(text: str) -> tuple[int, int]:
    """Read `17` or `1000-1999`."""
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def run(target: Warren, seed: int, first: int, last: int) -> int:
    """Send block after block, and look at the target after each."""
    publisher = Publisher(target.stack.amqp, target.callback_queue())
    seen = web.Seen()
    started, dead = monotonic(), 0
    memory = [warren.resident(target.producer)]
    try:
        for start in range(first, last + 1, BLOCK):
            end = min(start + BLOCK, last + 1)
            asyncio.run(block(target, publisher, seed, range(start, end), seen))
            wrong = []
            try:
                dead += publisher.drained()
                target.canary()
            except (AssertionError, httpx2.HTTPError) as error:
                wrong.append(f"the canary: {error!r}")
            wrong += target.look()
            memory.append(warren.resident(target.producer))
            done = end - first
            speed = done / (monotonic() - started)
            if wrong or seen.failures or done % (20 * BLOCK) == 0 or end > last:
                print(f"{done:8} cases, {speed:.0f}/s, producer {memory[-1] >> 20} MB", flush=True)
            if wrong or seen.failures:
                return report(target, seed, (start, end - 1), seen, wrong)
        consumers = publisher.consumers()
        if consumers != [2, 2, 1, 1]:
            return report(target, seed, (first, last), seen, [f"consumers: {consumers}"])
    finally:
        publisher.close()
    for kind, count in sorted(seen.counts.items()):
        print(f"{count:8} {kind}")
    print(
        f"ok: {last - first + 1} cases, {dead} dead letters, {target.deliberate} fits given up "
        f"with a traceback; the producer had {memory[0] >> 20} MB before, {memory[-1] >> 20} after "
        f"and {target.producer.peak() >> 20} at most"
    )
    return 0


def run_models(target: Warren, seed: int, numbers: range) -> int:
    """Upload drawn graphs and ask them; return the exit status."""
    uploader = models.Uploader(target)
    for number in numbers:
        case = models.draw(Random(f"{seed}:model:{number}"))
        if wrong := uploader.run(number, case):
            print(f"\nFAILED model {number}, asked {case.asked}: {wrong}")
            print(f"repeat it: {_repeat(seed)} --models {number}-{number} --trainings 0")
            print(f"\n--- {target.consumer.log.name}\n{tail(target.consumer.log)[-SHOWN:]}")
            return 1
    print(f"ok: {len(numbers)} models, {dict(uploader.seen)}", flush=True)
    return 0


def run_trainings(seed: int, numbers: range) -> int:
    """Run drawn trainings; return the exit status."""
    bounds = trainings.Bounds()
    for number in numbers:
        case = trainings.draw(Random(f"{seed}:training:{number}"))
        if wrong := bounds.run(case):
            print(f"\nFAILED training {number}, {case}: {wrong}")
            print(f"repeat it: {_repeat(seed)} --models 0 --trainings {number}-{number}")
            return 1
    print(f"ok: {len(numbers)} trainings, {bounds.outcomes}", flush=True)
    return 0


def _repeat(seed: int) -> str:
    return f"python -m tests.fuzz --cases 0 --seed {seed}"


async def block(
    target: Warren, publisher: Publisher, seed: int, numbers: range, seen: web.Seen
) -> None:
    """Send a block through both doors at once."""
    cases = [(number, case(seed, number)) for number in numbers]
    http = [(number, each) for number, each in cases if isinstance(each, Call)]
    amqp = [(number, each) for number, each in cases if isinstance(each, Letter)]
    await asyncio.gather(
        web.drive(target.address, http, seen), asyncio.to_thread(publisher.drive, amqp, seen)
    )


def report(
    target: Warren, seed: int, block: tuple[int, int], seen: web.Seen, wrong: list[str]
) -> int:
    """Print what failed and how to repeat it; return the exit status."""
    for number, failure in seen.failures[:20]:
        print(f"\nFAILED case {number}: {failure}\n{shown(case(seed, number))}")
        print(f"repeat it: python -m tests.fuzz --seed {seed} --only {number}")
    for each in wrong[:20]:
        print(f"\nFAILED in the cases {block[0]}-{block[1]}: {each}")
        print(f"repeat them: python -m tests.fuzz --seed {seed} --only {block[0]}-{block[1]}")
    for process in (target.producer, target.consumer):
        print(f"\n--- {process.log.name}\n{tail(process.log)[-SHOWN:]}")
    return 1


def shown(each: Call | Letter) -> str:
    """Return the bytes of a case."""
    if isinstance(each, Call):
        return repr(each.raw)[:SHOWN]
    return f"to {each.queue}: {each.properties!r:.{SHOWN}}\n{each.body!r:.{SHOWN}}"


if __name__ == "__main__":
    sys.exit(main())
