"""Train and predict through the API of the local stack, and print each step."""

import sys
from typing import Any

from app.protocol import examples
from devstack.console import complain, say
from devstack.layout import local_api_address
from devstack.program import ProgramError
from warren_client.client import Api, ApiError

TRAIN, ROW = examples.TRAIN_EXAMPLE, examples.ROW
TRAIN_SECONDS = 120


def demo(api: Api) -> None:
    """Train a model on the diabetes data and ask it for one prediction. Raises `ApiError`."""
    say("POST /train: a random forest on the diabetes data")
    accepted = api.post("/train", TRAIN)["message"]
    model_id = accepted["model_id"]
    say(f"{accepted['status']}: model {model_id}")
    metrics = follow(api, model_id)["metrics"]
    say("Trained: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    say("POST /predict: the disease progression of one patient")
    answer = api.post("/predict", {"model_id": model_id, "input_data": ROW})["message"]
    say(f"{answer['status']}: prediction {answer['prediction']:.4f}")
    print(
        f"""
  RMSE        {metrics["rmse"]:.2f}
  Prediction  {answer["prediction"]:.4f}

  The job     {api.address}/jobs/{model_id}
  Try it      {api.address}/docs
"""
    )


def follow(api: Api, model_id: str) -> dict[str, Any]:
    """Print the states of a training as they change; return its job when it is completed."""
    return api.follow(model_id, TRAIN_SECONDS, lambda state: say(f"GET /jobs/{model_id}: {state}"))


def main() -> int:
    """Run the demo and return the exit status: 0 only if the prediction came."""
    try:
        demo(Api(local_api_address()))
    except (ApiError, ProgramError) as error:
        complain(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
