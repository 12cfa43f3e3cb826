"""The names and rows in the examples of the API; `cli/example_data.py` stores the data."""

from typing import Any

DATASET_ID = "diabetes"
CANCELLED_JOB_ID = "cancelled-example"
SCORED_JOB_ID = "scored-example"
MODEL_NAME = "named-example"
TRAINED_NAME = "progression"  # of the training that is the example
MODEL_ALIAS = "champion"
DELETED_ALIAS = "deleted-example"
UNUSED_NAME = "unused-example"  # there need be none
DELETED_MODEL_ID = "deleted-example"
REMOTE_MODEL_ID = "remote-example"
ROTATED_KEY_ID = "example1"
REVOKED_KEY_ID = "example2"
SHORT_ROW = '{"age": 0.04, "bmi": 0.06}'  # of errors
ROW: dict[str, Any] = {
    "age": 0.038076,
    "bmi": 0.061696,
    "bp": 0.021872,
    "s1": -0.044223,
    "s2": -0.034821,
    "s3": -0.043401,
    "s4": -0.002592,
    "s5": 0.019908,
    "s6": -0.017646,
}
# A PNG of 32 by 32 grey pixels, in base64.
GREY_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAGElEQVR42mNsYMAPmBhGFYwqGFUwQhUA"
    "AJe+AMD8WknZAAAAAElFTkSuQmCC"
)
TRAIN_EXAMPLE: dict[str, Any] = {
    "dataset_id": DATASET_ID,
    "features": list(ROW),
    "target": "target",
}
