"""Train and predict through the API of the local stack, and print each step."""

import sys

from app.protocol import examples
from devstack.console import complain, say
from devstack.first_key import kept_key
from devstack.layout import RUN, api_address, ca_file, last_settings
from devstack.program import ProgramError
from warren_client import Job, Warren, WarrenError
from warren_client.records import JobRecord

TRAIN, ROW = examples.TRAIN_EXAMPLE, examples.ROW
TRAIN_SECONDS = 120


def demo(warren: Warren) -> None:
    """Train a model on the diabetes data and ask it for one prediction. Raises `WarrenError`."""
    say("POST /train: a random forest on the diabetes data")
    accepted = warren.request("POST", "/train", TRAIN)["message"]
    model_id = accepted["model_id"]
    say(f"{accepted['status']}: model {model_id}")
    metrics = follow(warren, model_id, TRAIN_SECONDS).metrics or {}
    say("Trained: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    say("POST /predict: the disease progression of one patient")
    answer = warren.request("POST", "/predict", {"model_id": model_id, "input_data": ROW})
    answer = answer["message"]
    say(f"{answer['status']}: prediction {answer['prediction']:.4f}")
    print(
        f"""
  RMSE        {metrics["rmse"]:.2f}
  Prediction  {answer["prediction"]:.4f}

  The job     {warren.url}/jobs/{model_id}
  Look        {warren.url}/ui
  Try it      {warren.url}/docs
"""
    )


def follow(warren: Warren, job_id: str, seconds: float) -> Job:
    """Print the states of a job as they change; return it when it is completed.

    Raises `WarrenError`.
    """
    said: list[str] = []

    def tell(job: JobRecord) -> None:
        if job.state not in said:
            said.append(job.state)
            say(f"GET /jobs/{job_id}: {job.state}")

    return warren.jobs[job_id].wait(seconds, tell)


def main() -> int:
    """Run the demo and return the exit status: 0 only if the prediction came."""
    try:
        settings = last_settings()
        demo(Warren(api_address(settings), kept_key(RUN), ca_file=ca_file(settings)))
    except (WarrenError, ProgramError) as error:
        complain(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
