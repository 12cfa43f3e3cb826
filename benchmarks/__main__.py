"""Measure, and write the tables of docs: `python -m benchmarks --only compare floor --rounds 1`."""

import argparse
import importlib
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from benchmarks.harness.servers import Bench
from benchmarks.reporting import report, results
from benchmarks.scenarios import compare
from devstack.console import complain, say
from devstack.layout import ROOT
from devstack.program import ProgramError, inherited

SECTIONS = (
    *("compare", "floor", "rows", "scaling", "training", "history"),
    *("safety", "memory", "forests", "batch", "isolation", "attacks", "cold", "keys"),
    *("metrics", "traces", "pages", "oip", "shadow"),
    *report.ELSEWHERE,
)

QUIET = 0.1  # of the cores' time that others may take


def main() -> int:
    """Run the sections, saving each as it ends, and return the exit status."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with us
    try:
        measure(asked)
    except ProgramError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def measure(asked: argparse.Namespace) -> None:
    """Run the sections one after the other. Raises `ProgramError`."""
    settings: dict[str, Any] = {"rounds": asked.rounds, "seconds": asked.seconds}
    with Bench(asked.rounds, asked.seconds, asked.predictions) as bench:
        machine = results.machine(str(bench.broker.api("GET", "overview")["rabbitmq_version"]))
        for name in asked.only:
            say(f"Section {name}")
            if (busy := results.busy()) is not None:
                settings["busy before"] = f"{busy:.0%}"
                if busy > QUIET:
                    say(f"Something else takes {busy:.0%} of the cores: figures will be low")
            rows = importlib.import_module(f"benchmarks.scenarios.{name}").run(bench)
            results.save(name, rows, machine, settings)
            print(render(name, rows), flush=True)
    documents = report.write(render)
    draw(asked.only)
    written = ", ".join(str(path.relative_to(ROOT)) for path in (*documents, results.PATH))
    say(f"Wrote {written}")


def render(name: str, rows: list[results.Row]) -> str:
    """Render a section's rows as its module says, or as one table."""
    module = importlib.import_module(f"benchmarks.scenarios.{name}")
    rendered: str = getattr(module, "render", report.table)(rows)
    return rendered


def draw(measured: Iterable[str]) -> None:
    """Have the peers' environment draw the chart, when what it shows was measured."""
    if compare.NAME not in measured:
        return
    script = ROOT / "benchmarks" / "reporting" / "chart.py"
    command = [compare.PYTHON, str(script), str(results.PATH), str(report.CHART)]
    ended = subprocess.run(command, env=inherited(), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ProgramError(f"the chart could not be drawn:\n{ended.stderr}")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION")
    parser.add_argument("--rounds", type=int, default=3, help="how often each load is repeated")
    parser.add_argument("--seconds", type=float, default=4, help="how long each load lasts")
    parser.add_argument("--predictions", type=int, default=1_000_000, help="of section memory")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
