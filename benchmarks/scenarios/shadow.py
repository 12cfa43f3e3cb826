"""What a shadow costs those who ask the alias: p99 of /predict with a share of 0 and of 1."""

import json
import time
from statistics import median
from typing import Any

from benchmarks.harness import hey
from benchmarks.harness.jobs import api_of
from benchmarks.harness.servers import Bench, Stack, diabetes
from benchmarks.reporting.figures import middle, shown
from devstack.demo import ROW, TRAIN, TRAIN_SECONDS, follow
from warren_client import Warren

NAME = "shadow"

MODEL = "shadowed"
SHARES = (0, 1)
SATURATING = 64  # in flight
IN_FLIGHT = 16  # at most, at the lower rate
PART = 1 / 3  # of the rate of the saturating load
WRITTEN_SECONDS = 6.0  # after which producers have written what they counted


def run(bench: Bench) -> list[dict[str, Any]]:
    """Load a stack by the alias, and change the share of the shadow in turn."""
    with bench.stack() as stack:
        api = api_of(stack)
        prepare(api)
        url, body = f"{stack.url}/predict", request()
        hey.warm(url, body, SATURATING)
        most = hey.load(url, body, SATURATING, bench.seconds).rate
        rounds = [
            {share: loaded(bench, api, stack, share, PART * most) for share in SHARES}
            for _ in range(bench.rounds)
        ]
        return [row(rounds, PART * most, counted(api))]


def prepare(api: Warren) -> None:
    """Train two versions of a name, and point the alias to the first one."""
    api.datasets.upload(diabetes().encode(), "diabetes")
    for _ in range(2):
        accepted = api.request("POST", "/train", {**TRAIN, "name": MODEL})
        follow(api, str(accepted["message"]["model_id"]), TRAIN_SECONDS)
    api.request("PUT", f"/models/{MODEL}/aliases/champion", {"version": 1})


def request() -> bytes:
    """Return the body of one call by the alias."""
    return json.dumps({"model_id": f"{MODEL}@champion", "input_data": ROW}).encode()


def loaded(bench: Bench, api: Warren, stack: Stack, share: float, rate: float) -> hey.Load:
    """Load the stack while the shadow has this share; the only producer sees it at once."""
    shadow = {"alias": "champion", "version": 2, "share": share}
    api.request("PUT", f"/models/{MODEL}/shadow", shadow)
    url, body = f"{stack.url}/predict", request()
    hey.warm(url, body, IN_FLIGHT)
    return hey.load(url, body, IN_FLIGHT, bench.seconds, rate=rate)


def counted(api: Warren) -> dict[str, int]:
    """Return how many calls the shadow has compared, and how many not."""
    time.sleep(WRITTEN_SECONDS)
    compared = api.request("GET", f"/models/{MODEL}/shadow")["compared"]
    return {name: sum(each[name] for each in compared) for name in ("calls", "dropped", "failed")}


def row(rounds: list[dict[int, hey.Load]], rate: float, counts: dict[str, int]) -> dict[str, Any]:
    """Return the row of the table; the ratio is the median of those of the rounds."""
    without, beside = ([each[share] for each in rounds] for share in SHARES)
    ratio = median(b.p99 / a.p99 for a, b in zip(without, beside, strict=True))
    return shown(
        {
            "requests/s": round(rate),
            "p50 at share 0, ms": middle([each.p50 for each in without], 2),
            "p50 at share 1": middle([each.p50 for each in beside], 2),
            "p99 at share 0, ms": middle([each.p99 for each in without], 2),
            "p99 at share 1": middle([each.p99 for each in beside], 2),
            "p99 ratio": round(ratio, 3),
            **counts,
            "errors": sum(each.errors for each in (*without, *beside)),
        }
    )
