"""A remote model behind `async def` with a client that blocks: nothing else runs meanwhile."""

import os

import requests
from fastapi import FastAPI
from request import Request

app = FastAPI()


@app.post("/predict")
async def answer(request: Request) -> dict[str, float]:
    """Wait for the remote model on the event loop."""
    inputs = {"input_data": request.input_data}
    answer = requests.post(os.environ["REMOTE"], json=inputs, timeout=60)  # noqa: ASYNC210
    return {"prediction": answer.json()["prediction"]}


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer at once, if the loop is free."""
    return {"status": "ok"}
