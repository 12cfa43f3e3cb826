"""FastAPI in front of Celery: `uvicorn celery_web:app`.

`def`, because `get` blocks: FastAPI runs it in one of its threads.
"""

from celery.exceptions import TimeoutError as TaskTimeoutError
from celery_worker import predict
from fastapi import FastAPI, HTTPException
from request import Request

app = FastAPI()


@app.post("/predict")
def answer(request: Request) -> dict[str, float]:
    """Queue a task and wait for its result."""
    try:
        return {"prediction": predict.delay(request.input_data).get(timeout=10)}
    except TaskTimeoutError:
        raise HTTPException(504) from None
