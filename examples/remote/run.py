"""Ask a slow remote model four things at once: two instances of it, five seconds each.

It starts the stand-in of `server.py`, registers it as an endpoint of SageMaker, and ends it again.
"""

import hashlib
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import click

from app.settings import Settings
from devstack import ports
from devstack.console import say
from devstack.layout import application, local_api_address
from devstack.program import ProgramError
from devstack.subprocesses import Children
from warren_client import Warren, WarrenError

NAME = "thinker"
CALLS = 4
START_SECONDS = 20
PERMISSION = """the stack has to be allowed to call 127.0.0.1:{port}:

    echo INVOKE_HOSTS=127.0.0.1 >> .run/env && make down up
"""


@click.command(help=__doc__)
@click.option("--url", help="Where the API is; that of the local stack when left out.")
@click.option("--instances", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--port", default=5055, show_default=True, help="Of the stand-in.")
def main(url: str | None, instances: int, seconds: float, port: int) -> None:
    """Run the example."""
    try:
        warren = Warren(url or local_api_address())
        if not ports.is_free(port):
            raise ProgramError(f"port {port} is taken: --port names another one")
        with tempfile.TemporaryDirectory() as folder:
            children = Children(Path(folder) / "log")
            try:
                serve(children, port, instances, seconds)
                run(warren, port)
            finally:
                children.stop()
    except (WarrenError, ProgramError) as error:
        raise click.ClickException(str(error)) from error


def serve(children: Children, port: int, instances: int, seconds: float) -> None:
    """Start the stand-in. It knows the keys that the consumer signs with: those of its S3."""
    settings = Settings()
    secret = settings.aws_secret_access_key
    keys = {
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
    }
    options = {"port": port, "name": NAME, "instances": instances, "seconds": seconds}
    given = [f"--{name}={value}" for name, value in options.items()]
    program = application(NAME, ["examples.remote.server", *given], keys)
    children.start(program, lambda: not ports.is_free(port), START_SECONDS)
    say(f"A remote model: {instances} instances, {seconds:g} s a call, http://127.0.0.1:{port}")


def run(warren: Warren, port: int) -> None:
    """Register the endpoint, ask, and print how long everything took. Raises `WarrenError`."""
    endpoint = {
        "kind": "endpoint",
        "sagemaker": {"endpoint_name": NAME, "endpoint_url": f"http://127.0.0.1:{port}"},
        "seconds": 60,
    }
    # A model never changes, so another port is another model.
    model_id = f"{NAME}-{hashlib.sha256(json.dumps(endpoint).encode()).hexdigest()[:8]}"
    try:
        warren.request("PUT", f"/models/{model_id}", endpoint)
    except (WarrenError, ProgramError) as error:
        if "INVOKE_HOSTS" in str(error):
            raise WarrenError(PERMISSION.format(port=port)) from error
        raise
    say(f"PUT /models/{model_id}")

    def ask(number: int) -> tuple[float, Any]:
        began = monotonic()
        body = {"model_id": model_id, "input_data": {"number": number, "one": 1}}
        prediction = warren.request("POST", "/predict", body)["message"]["prediction"]
        return monotonic() - began, prediction

    say(f"POST /predict, {CALLS} at once")
    began = monotonic()
    with ThreadPoolExecutor(CALLS) as threads:
        answers = list(threads.map(ask, range(1, CALLS + 1)))
    for number, (seconds, prediction) in enumerate(answers, 1):
        print(f"  call {number}: {seconds:5.2f} s, {number} + 1 = {prediction:g}")
    print(f"  all:    {monotonic() - began:5.2f} s")


if __name__ == "__main__":
    main()
