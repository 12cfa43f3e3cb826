"""Put models side by side."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from warren_client.records import ModelRecord


def comparison(records: Iterable[tuple[str, ModelRecord]]) -> Any:
    """Return a row for each model, by its reference, with a column for each metric.

    It is a DataFrame with the references as index, or a list of objects without pandas.
    """
    rows = [
        {
            "model": reference,
            "model_id": record.model_id,
            "version": record.version,
            "estimator": record.estimator,
            "dataset_id": record.dataset_id,
            **(record.metrics or {}),
        }
        for reference, record in records
    ]
    if find_spec("pandas") is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows).set_index("model")
