"""FastAPI with the model inside: what a broker is compared with. `uvicorn no_broker:app`.

`async def` with the model called directly: a thread for each call would cost more than the model.
"""

from fastapi import FastAPI
from forest import loaded
from request import Request

app = FastAPI()
predict = loaded()


@app.post("/predict")
async def answer(request: Request) -> dict[str, float]:
    """Predict one row."""
    (prediction,) = predict([request.input_data])
    return {"prediction": prediction}
