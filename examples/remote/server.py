"""A stand-in for a remote model: `POST /endpoints/NAME/invocations` as SageMaker has it.

So many instances answer one call at a time each, and think so many seconds; who comes meanwhile
waits in line. `POST /invocations` is the same without a signature. The prediction is the sum of the
numbers of a row, or the length of an image.
"""

import asyncio
import json
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import click
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.remote import signature


@dataclass
class Model:
    """The instances behind a name, and who may call them."""

    name: str
    seconds: float
    key: str
    secret: str
    free: asyncio.Semaphore
    calls: int = field(default=0)

    async def signed(self, request: Request) -> Response:
        """Answer as SageMaker does, its errors included."""
        body = await request.body()
        url, path = request.url, request.scope["raw_path"].decode("ascii")
        try:
            signature.check(
                request.method, path, url.query, request.headers, body, self.key, self.secret
            )
        except signature.Refused as error:
            return refusal(403, "AccessDeniedException", str(error))
        if request.path_params["name"] != self.name:
            said = f"Endpoint {request.path_params['name']} of account 000000000000 not found."
            return refusal(400, "ValidationException", said)
        return await self._answer(body)

    async def plain(self, request: Request) -> Response:
        """Answer anybody."""
        return await self._answer(await request.body())

    async def _answer(self, body: bytes) -> Response:
        try:
            answer = JSONResponse(predict(json.loads(body)))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            return refusal(424, "ModelError", f"the model cannot read this: {error!r}")
        self.calls += 1
        number, came = self.calls, monotonic()
        async with self.free:
            waited = monotonic() - came
            await asyncio.sleep(self.seconds)
        print(f"call {number}: waited {waited:.1f} s, thought {self.seconds:.1f} s")
        return answer


def predict(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer rows or images, one or many, in the form in which they are asked for."""
    if "instances" in asked:
        return {"predictions": [total(each) for each in asked["instances"]]}
    inputs = asked["input_data"] if "input_data" in asked else asked["image_data"]
    if isinstance(inputs, list):
        return {"prediction": [total(each) for each in inputs]}
    return {"prediction": total(inputs)}


def total(asked: dict[str, Any] | str) -> float:
    """Add up the numbers of a row, or the characters of an image."""
    if isinstance(asked, str):
        return float(len(asked))
    return float(sum(value for value in asked.values() if isinstance(value, int | float)))


def refusal(status: int, kind: str, said: str) -> Response:
    """Return an error in the form of AWS."""
    return JSONResponse({"message": said}, status, headers={"x-amzn-ErrorType": kind})


def application(model: Model) -> Starlette:
    """Make the server's application."""
    return Starlette(
        routes=[
            Route("/endpoints/{name}/invocations", model.signed, methods=["POST"]),
            Route("/invocations", model.plain, methods=["POST"]),
            Route("/ping", lambda _: Response()),
        ]
    )


@click.command(help=__doc__)
@click.option("--port", default=5055, show_default=True)
@click.option("--name", default="thinker", show_default=True, help="Of the endpoint.")
@click.option("--instances", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--key", envvar="AWS_ACCESS_KEY_ID", default="", show_envvar=True)
@click.option("--secret", envvar="AWS_SECRET_ACCESS_KEY", default="", show_envvar=True)
def main(port: int, name: str, instances: int, seconds: float, key: str, secret: str) -> None:
    """Serve until interrupted. Without a key nobody's signature is right."""
    model = Model(name, seconds, key, secret, asyncio.Semaphore(instances))
    uvicorn.run(
        application(model), host="127.0.0.1", port=port, access_log=False, log_level="error"
    )


if __name__ == "__main__":
    main()
