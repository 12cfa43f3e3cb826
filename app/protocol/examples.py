"""What the examples of the API's documentation name; `cli/example_data.py` stores it."""

from pydantic.config import JsonDict

DATASET_ID = "diabetes"
CANCELLED_JOB_ID = "cancelled-example"
ROW: JsonDict = {
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
TRAINING: JsonDict = {"dataset_id": DATASET_ID, "features": list(ROW), "target": "target"}
