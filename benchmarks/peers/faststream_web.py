"""FastAPI in front of FastStream, by its RPC (direct reply-to): `uvicorn faststream_web:app`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from faststream.rabbit import RabbitBroker
from request import Request

broker = RabbitBroker(os.environ["AMQP_URL"], logger=None)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Keep one connection for as long as the application runs."""
    await broker.start()
    yield
    await broker.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def answer(request: Request) -> dict[str, float]:
    """Ask the worker and wait for its reply."""
    try:
        reply = await broker.request(request.input_data, "predict", timeout=10)
    except TimeoutError:
        raise HTTPException(504) from None
    return {"prediction": await reply.decode()}
