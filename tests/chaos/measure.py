"""Two figures on a quiet machine: `python -m tests.chaos.measure`.

How long a job waits for its next attempt when its consumer is killed in mid-fit, 20 times; and how
long `POST /train` takes while the broker is stopped, 200 times.
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
LONG = {"n_estimators": 3000, "max_depth": None}  # seconds


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


def kills() -> list[float]:
    """Return the seconds from each kill of a consumer until the job's next attempt runs."""
    found = []
    with world() as (stack, _):
        _, http = stack.producer()
        upload(http)
        consumers = [stack.consumer(ALONE) for _ in range(2)]
        for _ in range(KILLS):
            job_id = train(http, params=LONG)
            row = until(lambda of=job_id: seen(job(http, of)), "the fit is under way")
            victim = next(each for each in consumers if f":{each.pid}:" in row["worker"])
            begin = monotonic()
            victim.kill()
            until(lambda of=job_id: job(http, of)["attempt"] == 2, "the next attempt runs")
            found.append(monotonic() - begin)
            http.delete(f"/jobs/{job_id}")
            consumers.remove(victim)
            consumers.append(stack.consumer(ALONE))
    return found


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
    again = sorted(kills())
    sys.stdout.write(
        f"{KILLS} kills: median {statistics.median(again):.2f} s, max {again[-1]:.2f} s\n"
    )
    posts, drained = outage()
    quantiles = statistics.quantiles(posts, n=100)
    sys.stdout.write(
        f"{POSTS} POST /train without a broker: all 202, p50 {quantiles[49] * 1000:.1f} ms, "
        f"p99 {quantiles[98] * 1000:.1f} ms; all completed {drained:.1f} s after its start\n"
    )


if __name__ == "__main__":
    main()
