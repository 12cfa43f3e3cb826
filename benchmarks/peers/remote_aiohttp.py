"""A remote model behind `async def` with aiohttp's client, without a limit of connections."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI
from request import Request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one session."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as app.state.http:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def answer(request: Request) -> dict[str, float]:
    """Await the remote model."""
    inputs = {"input_data": request.input_data}
    async with app.state.http.post(os.environ["REMOTE"], json=inputs) as answer:
        return {"prediction": (await answer.json())["prediction"]}


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer at once."""
    return {"status": "ok"}
