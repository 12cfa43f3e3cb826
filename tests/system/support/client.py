"""A few sentences in the language of the HTTP API, for tests that are about something else."""

from functools import cache
from typing import Any

import httpx2

from devstack.demo import ROW, TRAIN
from tests.system.support.processes import until

RMSE = 53.00
PREDICTION = 208.6446

# Fits that take seconds, and for ever: trees are the unit of time here.
LONG = {"params": {"n_estimators": 1000, "max_depth": 3}}
ENDLESS = {"params": {"n_estimators": 1_000_000, "max_depth": 3}}

IN_WORK = ("TASK_QUEUED", "TASK_RUNNING")


@cache
def diabetes() -> str:
    """Return scikit-learn's data as a CSV."""
    from sklearn.datasets import load_diabetes

    return str(load_diabetes(as_frame=True).frame.to_csv(index=False))


def upload(http: httpx2.Client, dataset_id: str = "diabetes", csv: str | None = None) -> None:
    answer = http.put(f"/datasets/{dataset_id}", content=csv or diabetes())
    assert answer.status_code in (200, 201), answer.text


def train(http: httpx2.Client, **changes: Any) -> str:
    """Have the reference trained, or what the changes make of it; return the model's id."""
    answer = http.post("/train", json={**TRAIN, **changes})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["message"]["model_id"])


def job(http: httpx2.Client, job_id: str) -> dict[str, Any]:
    answer = http.get(f"/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def reached(http: httpx2.Client, job_id: str, *states: str) -> dict[str, Any]:
    """Wait until a job is in one of the states; return it."""

    def there() -> dict[str, Any] | None:
        found = job(http, job_id)
        assert found["state"] in (*states, *IN_WORK), found
        return found if found["state"] in states else None

    return until(there, f"job {job_id} is {' or '.join(states)}") or {}


def trained(http: httpx2.Client, **changes: Any) -> str:
    """Train and wait; return the model's id."""
    model_id = train(http, **changes)
    reached(http, model_id, "TASK_COMPLETED")
    return model_id


def predict(http: httpx2.Client, model_id: str, row: Any = ROW, **more: Any) -> dict[str, Any]:
    answer = http.post("/predict", json={"model_id": model_id, "input_data": row, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["message"])


def is_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem document of this status; return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = dict(answer.json())
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    assert "Traceback" not in answer.text
    return found
