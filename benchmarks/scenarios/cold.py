"""The first prediction of a model, fifty callers of a cold one, and `make up` when all is there."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Barrier
from time import perf_counter
from typing import Any

import httpx2

from benchmarks.harness import jobs
from benchmarks.harness.counting import Counter, counted
from benchmarks.harness.servers import Bench, Stack
from benchmarks.reporting.figures import row
from devstack.demo import ROW
from devstack.layout import ROOT
from devstack.program import find, inherited

NAME = "cold"

MODELS = 5
CALLERS = 50
JSON = {"Content-Type": "application/json"}
#: What of a checkout `make up` needs.
CHECKOUT = (
    *("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"),
    *("app", "clients", "devstack", "rabbitmq"),
)


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure models that no consumer has loaded, then the start of a stack."""
    with (
        counted(bench.s3.settings()["AWS_ENDPOINT_URL"]) as s3,
        bench.stack(AWS_ENDPOINT_URL=s3.url) as stack,
    ):
        rows = [*first(stack, s3), *crowd(stack, s3)]
    return [*rows, up(bench.rounds)]


def first(stack: Stack, s3: Counter) -> list[dict[str, Any]]:
    """Ask once for each of some models, one after the other."""
    api, took, reads = jobs.api_of(stack), [], []
    for _ in range(MODELS):
        model_id = jobs.train(api)["id"]
        ((seconds, status),) = ask(stack, model_id, 1)
        if status != 200:
            raise RuntimeError(f"the first prediction of a model: {status}")
        took.append(1000 * seconds)
        reads.append(s3.count(f"/{model_id}/"))
    return [
        row(f"first prediction of a cold model, ms, median of {MODELS}", f"{median(took):.0f}"),
        row("reads of S3 for it, at most", f"{max(reads)}", "1"),
    ]


def crowd(stack: Stack, s3: Counter) -> list[dict[str, Any]]:
    """Ask many times at once for each of some models."""
    api, took, reads, sessions, failed = jobs.api_of(stack), [], [], [], 0
    for _ in range(MODELS):
        model_id = jobs.train(api)["id"]
        answers = ask(stack, model_id, CALLERS)
        took.append(1000 * max(seconds for seconds, _ in answers))
        failed += sum(status != 200 for _, status in answers)
        reads.append(s3.count(f"/{model_id}/"))
        sessions.append(stack.log.read_text().count(f"loaded model {model_id}"))
    return [
        row(f"{CALLERS} callers of a cold model at once, ms until the last has its answer, "
            f"median of {MODELS}", f"{median(took):.0f}"),
        row("reads of S3 for all of them, at most", f"{max(reads)}", "1"),
        row("sessions made for all of them, at most", f"{max(sessions)}", "1"),
        row("answers other than 200 to them", f"{failed}", "0"),
    ]  # fmt: skip


def ask(stack: Stack, model_id: str, callers: int) -> list[tuple[float, int]]:
    """Predict from so many threads at once; return the seconds and the status of each."""
    body = json.dumps({"model_id": model_id, "input_data": ROW})
    start = Barrier(callers)

    def call(_: int) -> tuple[float, int]:
        with httpx2.Client(base_url=stack.url, timeout=30, trust_env=False) as http:
            http.get("/health")  # so that it is connected
            start.wait()
            begun = perf_counter()
            status = http.post("/predict", content=body, headers=JSON).status_code
            return perf_counter() - begun, status

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(call, range(callers)))


def up(rounds: int) -> dict[str, Any]:
    """Time `make up`, which returns when everything works."""
    took = []
    with checkout() as folder:
        for each in range(1 + rounds):
            begun = perf_counter()
            try:
                make(folder, "up")
                if each:  # the first one makes the database and writes the bytecode
                    took.append(perf_counter() - begun)
            finally:
                make(folder, "down")
    return row(
        f"`make up` on a warm checkout, s until ready, median of {rounds}",
        f"{median(took):.1f}",
        "at most 10",
    )


@contextmanager
def checkout() -> Iterator[Path]:
    """Make a checkout of its own with the packages of this one, so that no other stack is hit."""
    with TemporaryDirectory(prefix="warren-bench-") as name:
        folder = Path(name).resolve()
        for part in CHECKOUT:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, folder / part)
        packages = (ROOT / ".venv").resolve()
        (folder / ".venv").mkdir()
        for each in packages.iterdir():
            if each.name != "stamp":
                (folder / ".venv" / each.name).symlink_to(each)
        # It tells which checkout the packages were installed for.
        stamp = (packages / "stamp").read_text()
        (folder / ".venv" / "stamp").write_text(stamp.replace(str(packages.parent), str(folder)))
        yield folder


def make(folder: Path, target: str) -> None:
    """Run make in a checkout. Raises `CalledProcessError`."""
    subprocess.run(
        [find("make"), target],
        cwd=folder,
        env=inherited(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
