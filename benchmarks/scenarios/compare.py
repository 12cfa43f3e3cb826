"""Section "compare": Warren beside others that serve the same forest, at 1, 64 and 1000 in flight.

A round starts each system once and measures it; ratios are taken within a round.
"""

import functools
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import median

import httpx2

from benchmarks.harness import hey
from benchmarks.harness.hey import Load
from benchmarks.harness.servers import START_SECONDS, Bench
from benchmarks.reporting import report
from benchmarks.reporting.results import Row
from devstack import ports
from devstack.layout import ROOT
from devstack.program import Program, ProgramError, inherited

NAME = "compare"
CONCURRENCY = (1, 64, 1000)
PREDICTION = 208.6446
WARREN = "Warren"

FOLDER = Path(__file__).parents[1] / "peers"
ENVIRONMENT = ROOT / ".venv-bench"
PYTHON = str(ENVIRONMENT / "bin" / "python")
KINDS = {"ONNX": "model.onnx", "scikit-learn": "model.joblib"}


def web(module: str) -> list[str]:
    """Return how uvicorn's documentation starts an application; its port is added."""
    # With uvicorn[standard] it takes uvloop and httptools of itself.
    return [PYTHON, "-m", "uvicorn", f"{module}:app", "--log-level", "warning", "--no-access-log"]


def command(name: str, *arguments: str) -> list[str]:
    """Return a command of the peers' environment."""
    return [PYTHON, "-m", name, *arguments]


#: What to start for each peer; the last one listens.
PEERS = {
    "FastAPI, no broker": [web("no_broker")],
    "LitServe, no broker": [[PYTHON, "litserve_server.py"]],
    "Celery": [
        command("celery", "-A", "celery_worker", "worker", "--loglevel", "WARNING"),
        web("celery_web"),
    ],
    "FastStream": [
        command("faststream", "run", "faststream_worker:app"),
        web("faststream_web"),
    ],
    "naive": [[PYTHON, "naive_worker.py"], web("naive_web")],
}


@dataclass(frozen=True)
class Sample:
    """One load of one system in one round."""

    system: str
    model: str
    concurrency: int
    load: Load


def run(bench: Bench) -> list[Row]:
    """Measure all systems, round by round; return their medians."""
    train_peers(bench)
    rounds = []
    for number in range(1, bench.rounds + 1):
        print(f"round {number} of {bench.rounds}", flush=True)
        rounds.append(list(measure_all(bench)))
    return summarize(rounds)


def measure_all(bench: Bench) -> Iterator[Sample]:
    """Start, measure and stop one system after the other."""
    with bench.stack() as stack:
        yield from measure(bench, WARREN, "ONNX", f"{stack.url}/predict")
    for name in PEERS:
        for model in KINDS:
            with peer(bench, name, model) as url:
                yield from measure(bench, name, model, url)


def measure(bench: Bench, system: str, model: str, url: str) -> Iterator[Sample]:
    """Warm a system up and load it, at each concurrency."""
    for concurrency in CONCURRENCY:
        hey.warm(url, bench.body, concurrency)
        load = hey.load(url, bench.body, concurrency, bench.seconds)
        print(
            f"{system:20} {model:12} c={concurrency:<5} {load.rate:7.0f}/s"
            f"  p50 {load.p50:7.1f} ms  p99 {load.p99:7.1f} ms"
            f"  errors {load.errors} of {load.total} {load.problems or ''}",
            flush=True,
        )
        yield Sample(system, model, concurrency, load)


@contextmanager
def peer(bench: Bench, name: str, model: str) -> Iterator[str]:
    """Run a peer on a virtual host of its own until the block ends; yield its address.

    Raises `ProgramError` unless it gives the right answer in time.
    """
    (port,) = ports.unused(1)
    url = f"http://127.0.0.1:{port}/predict"
    *workers, listener = PEERS[name]
    if "uvicorn" in listener:
        listener = [*listener, "--port", str(port)]
    with bench.vhost() as vhost, bench.children("peer") as children:
        settings = bench.settings(vhost)
        login = f"{settings['RABBITMQ_USER']}:{settings['RABBITMQ_PASSWORD']}"
        environment = {
            **settings,
            "AMQP_URL": f"amqp://{login}@127.0.0.1:{settings['RABBITMQ_PORT']}/{vhost}",
            "MODEL": str(bench.folder / KINDS[model]),
            "MODEL_KEY": KINDS[model],
            "PORT": str(port),
        }

        def consumed() -> bool:
            return bool(bench.broker.api("GET", f"consumers/{vhost}"))

        for each in workers:
            children.start(program(name, each, environment), consumed, START_SECONDS)
        right = functools.partial(answers_right, url, bench.body)
        children.start(program(name, listener, environment), right, START_SECONDS)
        yield url


def program(name: str, command: list[str], environment: dict[str, str]) -> Program:
    """Make a program of a peer's command."""
    return Program(name=name, command=command, folder=FOLDER, environment=environment)


def answers_right(url: str, body: bytes) -> bool:
    """Tell whether a peer is up and gives the right prediction."""
    json_body = {"Content-Type": "application/json"}
    try:
        answer = httpx2.post(url, content=body, headers=json_body, timeout=15, trust_env=False)
    except httpx2.TransportError:
        return False
    return answer.is_success and abs(answer.json()["prediction"] - PREDICTION) < 0.001


def train_peers(bench: Bench) -> None:
    """Train the same forest with the peers' scikit-learn; put both files where peers find them."""
    if not ENVIRONMENT.exists():
        raise ProgramError("the peers' environment is missing: `make bench` makes it")
    joblib = bench.folder / KINDS["scikit-learn"]
    trained = subprocess.run(
        [PYTHON, "forest.py", str(joblib)],
        cwd=FOLDER,
        env=inherited(),
        capture_output=True,
        text=True,
        check=False,
    )
    if trained.returncode:
        raise ProgramError(f"the peers' forest could not be trained:\n{trained.stderr}")
    bucket = bench.bucket()
    for file in (bench.onnx, joblib):
        bucket.upload_file(str(file), file.name)


def summarize(rounds: list[list[Sample]]) -> list[Row]:
    """Return a row for each system and concurrency: medians over the rounds, errors summed."""
    rows = []
    for samples in zip(*rounds, strict=True):  # the same system and concurrency in each round
        first = samples[0]
        ours = [
            next(s for s in each if (s.system, s.concurrency) == (WARREN, first.concurrency))
            for each in rounds
        ]
        ratios = [
            mine.load.rate / sample.load.rate
            for mine, sample in zip(ours, samples, strict=True)
            if sample.load.errors < sample.load.total / 2  # else there is nothing to compare with
        ]
        rates = [sample.load.rate for sample in samples]
        rows.append(
            {
                "in flight": first.concurrency,
                "system": first.system,
                "model": first.model,
                "rate/s": round(median(rates)),
                "lowest-highest": f"{min(rates):.0f}-{max(rates):.0f}",
                "p50 ms": rounded(median(sample.load.p50 for sample in samples)),
                "p99 ms": rounded(median(sample.load.p99 for sample in samples)),
                "errors": errors([sample.load for sample in samples]),
                "Warren / it": rounded(median(ratios)) if ratios else None,
            }
        )
    return rows


def rounded(value: float) -> float | None:
    """Round to three digits or so; None if it is not finite: no answer, no time."""
    if not isfinite(value):
        return None
    return round(value, 2 if value < 10 else 1 if value < 100 else None)


def errors(loads: list[Load]) -> str:
    """Say how many requests failed in all rounds, and how."""
    problems: Counter[str] = Counter()
    for load in loads:
        problems.update(load.problems)
    if not problems:
        return "0"
    how = ", ".join(f"{what}: {count}" for what, count in problems.most_common(3))
    return f"{problems.total()} of {sum(load.total for load in loads)} ({how})"


def render(rows: list[Row]) -> str:
    """Return a table for each concurrency, the fastest system first."""
    parts = []
    for concurrency in CONCURRENCY:
        chosen = [row for row in rows if row["in flight"] == concurrency]
        chosen.sort(key=lambda row: -row["rate/s"])
        shown = [{k: v for k, v in row.items() if k != "in flight"} for row in chosen]
        parts.append(f"**{concurrency} in flight**\n\n{report.table(shown)}")
    return "\n\n".join(parts)
