"""A remote model behind `def`: FastAPI runs it in a thread, of which there are 40."""

import os

import requests
from fastapi import FastAPI
from request import Request

app = FastAPI()


@app.post("/predict")
def answer(request: Request) -> dict[str, float]:
    """Wait for the remote model in a thread."""
    inputs = {"input_data": request.input_data}
    answer = requests.post(os.environ["REMOTE"], json=inputs, timeout=60)
    return {"prediction": answer.json()["prediction"]}


@app.get("/health")
def health() -> dict[str, str]:
    """Answer at once, if there is a thread."""
    return {"status": "ok"}
