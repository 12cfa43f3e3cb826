"""Three figures on a quiet machine: `python -m tests.chaos.measure`.

How long a job waits for its next attempt when its consumer is killed in mid-fit and another one is
idle, 20 times; how long until it is free when all others are busy, 20 times; and how long
`POST /train` takes while the broker is stopped, 200 times.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from devstack.demo import TRAIN
from devstack.rabbitmq import Broker
from devstack.s3 import S3Server
from devstack.stack import migrate
from tests.system.support.client import job, reached, train, upload
from tests.system.support.processes import ALONE, Stack, until

KILLS, POSTS = 20, 200
LONG = {"n_estimators": 30_000, "max_depth": None}  # longer than a round of this


@contextmanager
def world() -> Iterator[tuple[Stack, Broker]]:
    """A broker, S3 and a database, and nothing of ours yet."""
    folder = Path(tempfile.mkdtemp(prefix="warren-measure-"))
    s3 = S3Server.on_free_port(folder / "s3" / "data")
    with Broker.on_free_ports(folder / "rabbitmq") as broker, s3:
        environment = {
            **broker.node.settings(),
            **s3.s3.settings(),
            "DATABASE_URL": f"sqlite:///{folder}/warren.db",
            "TRAIN_WAIT": "1",
        }
        migrate(environment)
        with Stack(environment, folder) as stack:
            yield stack, broker


def kills(fits: int) -> list[float]:
    """Return the seconds from each kill of one of two consumers until its job is free.

    Free is queued again, or running in its next attempt. `fits` is how many of the two have a fit.
    """
    found = []
    with world() as (stack, _):
        _, http = stack.producer()
        upload(http)
        consumers = [stack.consumer(ALONE) for _ in range(2)]
        for _ in range(KILLS):
            ids = [train(http, params=LONG) for _ in range(fits)]
            rows = [until(lambda of=of: seen(job(http, of)), "the fits run") for of in ids]
            victim = next(each for each in consumers if f":{each.pid}:" in rows[0]["worker"])
            begin = monotonic()
            victim.kill()
            until(lambda of=ids[0]: is_free(job(http, of)), "the job is free")
            found.append(monotonic() - begin)
            for each in ids:
                http.delete(f"/jobs/{each}")
            consumers.remove(victim)
            consumers.append(stack.consumer(ALONE))
    return found


def is_free(row: dict[str, object]) -> bool:
    """Tell whether a job waits for its second attempt, or is in it."""
    return row["state"] == "TASK_QUEUED" or row["attempt"] == 2


def seen(row: dict[str, object]) -> dict[str, object] | None:
    """Return a job whose progress has been seen."""
    return row if row["progress"] else None


def outage() -> tuple[list[float], float]:
    """Return the seconds of each POST /train without a broker, and until all had completed."""
    found, ids = [], []
    with world() as (stack, broker):
        stack.consumer()
        _, http = stack.producer()
        upload(http)
        broker.stop()
        for _ in range(POSTS):
            begin = monotonic()
            answer = http.post("/train", json=TRAIN)
            found.append(monotonic() - begin)
            assert answer.status_code == 202, answer.text
            ids.append(answer.json()["message"]["model_id"])
        broker.start()
        begin = monotonic()
        for job_id in ids:
            reached(http, job_id, "TASK_COMPLETED")
        return found, monotonic() - begin


def main() -> None:
    """Measure and print."""
    for fits, others in ((1, "idle"), (2, "busy")):
        free = sorted(kills(fits))
        sys.stdout.write(
            f"{KILLS} kills, the other consumer {others}: the job is free after "
            f"{statistics.median(free):.2f} s (median), {free[-1]:.2f} s (max)\n"
        )
    posts, drained = outage()
    quantiles = statistics.quantiles(posts, n=100)
    sys.stdout.write(
        f"{POSTS} POST /train without a broker: all 202, p50 {quantiles[49] * 1000:.1f} ms, "
        f"p99 {quantiles[98] * 1000:.1f} ms; all completed {drained:.1f} s after its start\n"
    )


if __name__ == "__main__":
    main()
