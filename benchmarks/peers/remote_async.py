"""A remote model behind `async def` with a client that is awaited.

httpx opens at most 100 connections unless LIMITS is "none". It would wait 5 s for one of them and
then fail; here it waits a minute, so that all are answered.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from request import Request

limits = httpx.Limits(max_connections=None if os.environ.get("LIMITS") == "none" else 100)
timeout = httpx.Timeout(60, pool=60)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one client."""
    async with httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False) as app.state.http:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def answer(request: Request) -> dict[str, float]:
    """Await the remote model."""
    inputs = {"input_data": request.input_data}
    answer = await app.state.http.post(os.environ["REMOTE"], json=inputs)
    return {"prediction": answer.json()["prediction"]}


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer at once."""
    return {"status": "ok"}
