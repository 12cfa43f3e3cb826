"""What a model is: the description that travels inside its ONNX file and beside it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

METADATA_KEY = "warren"  # where the manifest sits among the ONNX file's metadata properties


class Feature(BaseModel):
    """A column a model was trained on. `nullable`: it had missing values, so it may have them."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number", "boolean", "text"]
    nullable: bool = False


class Manifest(BaseModel):
    """A trained model in words.

    `parity` is the largest relative difference between scikit-learn's answers and ONNX's on the
    test rows. `labels` are the classes in the order of the probabilities.
    """

    model_config = ConfigDict(frozen=True)

    model_id: str
    dataset_id: str
    task: Literal["regression", "classification"]
    estimator: str
    params: dict[str, Any]
    features: list[Feature]
    target: str
    labels: list[bool | int | str] | None
    rows: dict[str, int]
    metrics: dict[str, float]
    parity: float | None
    versions: dict[str, str]
