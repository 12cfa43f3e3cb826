"""Load from `hey`, which keeps a number of HTTP requests in flight."""

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from devstack.program import ProgramError, find, inherited

# hey fills in any Go template; this one has full precision, where its CSV rounds to 0.1 ms.
REPORT = """{"total": {{ jsonify .Total }}, "latencies": {{ jsonify .Lats }}, "answers":
{{ jsonify .StatusCodes }}, "errors": {{ jsonify .ErrorDist }}}"""
WARM_SECONDS = 1.0
WARM_CONCURRENCY = 64
TIMEOUT_SECONDS = 20
TIMEOUT = "no answer in time"


@dataclass(frozen=True)
class Load:
    """What came of a load: answers 200 a second, their latencies in ms, and all that failed."""

    rate: float
    #: From the first request to the last answer.
    seconds: float
    p50: float
    p99: float
    #: Answers other than 200, and requests without an answer.
    errors: int
    #: Requests sent.
    total: int
    #: What went wrong, and how often: a status, or hey's words.
    problems: dict[str, int] = field(default_factory=dict)


def load(
    url: str,
    body: bytes,
    concurrency: int,
    seconds: float = 4,
    requests: int | None = None,
    timeout: int = TIMEOUT_SECONDS,
    headers: Mapping[str, str] | None = None,
    rate: float | None = None,
) -> Load:
    """Post a JSON body again and again for so many seconds, or `requests` times in all.

    hey sends `requests` in equal shares, so they are rounded up to a multiple of `concurrency`.
    At most `rate` requests a second are sent.
    Raises `ProgramError` if hey is missing or fails.
    """
    if requests is None:
        amount = ["-z", f"{seconds}s"]
    else:
        amount = ["-n", str(concurrency * ceil(requests / concurrency))]
    if rate is not None:
        amount += ["-q", f"{rate / concurrency:.3f}"]
    fields = [part for each in (headers or {}).items() for part in ("-H", ": ".join(each))]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        Path(file.name).write_bytes(body)
        ended = subprocess.run(
            [
                find("hey"), *amount, *("-c", str(concurrency)), *("-t", str(timeout)),
                *("-m", "POST", "-T", "application/json", "-D", file.name), *("-o", REPORT),
                *fields, url,
            ],
            env=inherited(),
            capture_output=True,
            check=False,
        )  # fmt: skip
    if ended.returncode or not ended.stdout:
        raise ProgramError(f"hey failed:\n{ended.stderr.decode(errors='replace')}")
    return read(ended.stdout)


def warm(url: str, body: bytes, concurrency: int, headers: Mapping[str, str] | None = None) -> None:
    """Send a second of load that nobody measures."""
    load(url, body, min(concurrency, WARM_CONCURRENCY), WARM_SECONDS, headers=headers)


def read(report: bytes) -> Load:
    """Make a `Load` of what hey printed; the report's latencies are seconds, its total ns."""
    found = json.loads(report)
    latencies, answers = found["latencies"] or [], found["answers"] or []
    good = sorted(1000 * each for each, code in zip(latencies, answers, strict=True) if code == 200)
    problems = Counter(str(code) for code in answers if code != 200)
    for message, count in (found["errors"] or {}).items():
        what = message.rpartition(": ")[2]  # before it come the ports, new each time
        problems[TIMEOUT if "Client.Timeout" in what else what] += count
    errors = problems.total()
    return Load(
        rate=len(good) / (found["total"] / 1e9),
        seconds=found["total"] / 1e9,
        p50=quantile(good, 0.50),
        p99=quantile(good, 0.99),
        errors=errors,
        total=len(good) + errors,
        problems=dict(problems),
    )


def quantile(ordered: list[float], part: float) -> float:
    """Return the smallest value that at least this part of the values does not exceed."""
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else float("nan")
