"""Tell how much of the Open Inference Protocol v2 a server has.

python -m examples.oip_conformance.run --url http://127.0.0.1:8000 --model NAME
"""

import argparse
import json
from pathlib import Path

import httpx2

from examples.oip_conformance.checks import CHECKS, Check
from examples.oip_conformance.server import Server, Wrong

SECONDS = 30.0


def main() -> int:
    """Run the checks, print a table, and return 0 if all are passed."""
    asked = arguments()
    headers = {"Authorization": f"Bearer {asked.key}"} if asked.key else {}
    request = json.loads(asked.request.read_text()) if asked.request else None
    with httpx2.Client(base_url=asked.url, headers=headers, timeout=SECONDS) as http:
        server = Server(http, asked.model, request)
        results = [(said, fault_of(each, server)) for said, each in CHECKS]
    print("| check | result |\n|---|---|")
    for said, fault in results:
        print(f"| {said} | {'passed' if fault is None else fault} |")
    passed = sum(fault is None for _, fault in results)
    print(f"\n{passed} of {len(results)} passed")
    return 0 if passed == len(results) else 1


def fault_of(each: Check, server: Server) -> str | None:
    """Run a check; return what is wrong, or None."""
    try:
        each(server)
    except Wrong as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  whatever a server sends, the next check runs
        return f"{type(error).__name__}: {error}"[:200]
    return None


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
