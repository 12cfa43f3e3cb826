"""Tell how much of the Open Inference Protocol v2 a server has.

python -m examples.oip_conformance.run --url http://127.0.0.1:8000 --model NAME
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import httpx2

from examples.oip_conformance.checks import CHECKS, Check
from examples.oip_conformance.server import NotOffered, Server, Wrong

SECONDS = 30.0
PASSED, FAILED = "passed", "failed"
LENIENT = "not refused, which the protocol does not demand"
ABSENT = "not offered"


def main() -> int:
    """Run the checks, print a table, and return 0 unless one fails that the protocol demands."""
    asked = arguments()
    headers = {"Authorization": f"Bearer {asked.key}"} if asked.key else {}
    request = json.loads(asked.request.read_text()) if asked.request else None
    # Some servers close a connection without saying so after an answer of 500.
    limits = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(base_url=asked.url, headers=headers, timeout=SECONDS, limits=limits) as http:
        server = Server(http, asked.model, request)
        results = [(each.said, *outcome_of(each, server)) for each in CHECKS]
    print("| check | result |\n|---|---|")
    for said, outcome, why in results:
        print(f"| {said} | {outcome}{f': {why}' if why else ''} |")
    counts = Counter(outcome for _, outcome, _ in results)
    print(f"\n{counts[PASSED]} of {len(results)} passed", end="")
    print("".join(f", {counts[each]} {each}" for each in (FAILED, LENIENT, ABSENT) if counts[each]))
    return 1 if counts[FAILED] else 0


def outcome_of(check: Check, server: Server) -> tuple[str, str]:
    """Run a check; return what came of it, and why."""
    try:
        check.run(server)
    except NotOffered as error:
        return ABSENT, str(error)
    except Wrong as error:
        said = str(error)
    except Exception as error:  # noqa: BLE001  whatever a server sends, the next check runs
        said = f"{type(error).__name__}: {error}"[:200]
    else:
        return PASSED, ""
    return (FAILED if check.is_demanded else LENIENT), said


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.oip_conformance.run")
    parser.add_argument("--url", default="http://127.0.0.1:5000", help="the server's address")
    parser.add_argument("--model", default="latest", help="a model that it has")
    parser.add_argument("--key", help="a key, which is sent as a bearer token")
    parser.add_argument(
        "--request",
        type=Path,
        help="a file with an inference request in JSON that the model can answer; without it, the "
        "inputs of the model's metadata are filled with zeros",
    )
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
