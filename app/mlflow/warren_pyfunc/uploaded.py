"""Answer by an ONNX file that was uploaded to Warren, as its manifest describes it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .onnx_file import Tensors, load
from .tensors import read_tensor


class UploadedModel:
    """An uploaded model; `told` is the content of `model.json`."""

    def __init__(self, folder: Path, told: Mapping[str, Any]) -> None:
        """Load the file of the model."""
        self._told = told
        self._session = load(folder / told["file"])
        self._inputs = {each.name: each for each in self._session.get_inputs()}
        sizes = (each.shape[0] for each in self._inputs.values() if each.shape)
        self._batch = next((size for size in sizes if isinstance(size, int)), None)

    def answer(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Return the columns of the answer. Raises `ValueError` for a value of another type."""
        feeds: Tensors = {}
        for each in self._told["inputs"]:
            known = self._inputs[each["name"]]
            matrix = read_tensor(frame, each, known.type)
            feeds[each["name"]] = matrix if len(known.shape) == 2 else matrix.reshape(-1)
        size = self._batch or max(1, len(frame))
        found = [
            part
            for start in range(0, len(frame), size)
            for part in self._run({name: v[start : start + size] for name, v in feeds.items()})
        ]
        return self._columns(found)

    def _run(self, feeds: Tensors) -> Iterator[npt.NDArray[Any]]:
        """Run the graph once, or if that fails for each half, so that only faulty rows fail.

        Yields outputs [rows, columns]. A batch of a fixed size is filled with its last row.
        """
        count = len(next(iter(feeds.values())))
        filled = feeds
        if self._batch and count < self._batch:
            more = self._batch - count
            filled = {n: np.concatenate([v, np.repeat(v[-1:], more, 0)]) for n, v in feeds.items()}
        try:
            (output,) = self._session.run([self._told["output"]["name"]], filled)
            yield output[:count].reshape(count, -1) if self._batch else output.reshape(count, -1)
        except Exception:  # noqa: BLE001  onnxruntime's errors have no common base class
            if count == 1:
                yield np.full((1, 1), np.nan)
                return
            for rows in (slice(count // 2), slice(count // 2, count)):
                yield from self._run({name: values[rows] for name, values in feeds.items()})

    def _columns(self, found: list[npt.NDArray[Any]]) -> dict[str, Any]:
        names, labels = self._told["columns"], self._told["labels"]
        if labels is None:
            values = np.concatenate(found).reshape(-1) if found else np.empty(0)
            if values.dtype.kind == "f":
                values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
            return {names[0]: values}
        shares = np.full((0, len(labels)), np.nan)
        if found:
            shares = np.concatenate([self._probabilities(each) for each in found])
        answered = np.isfinite(shares).all(axis=1)
        shares[~answered] = np.nan
        places = np.where(answered[:, None], shares, 0.0).argmax(axis=1).tolist()
        said = [labels[n] if ok else None for n, ok in zip(places, answered, strict=True)]
        columns: dict[str, Any] = {names[0]: pd.Series(said, dtype=object).infer_objects()}
        return columns | {name: shares[:, n] for n, name in enumerate(names[1:])}

    def _probabilities(self, output: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the probabilities [rows, labels] of a part of the output."""
        logits = self._told["output"]["holds"] == "logits"
        values = output.astype(np.float64)
        if values.shape[1] == 1:  # of two labels the second one; a sigmoid is a softmax beside 0
            other = np.zeros_like(values) if logits else 1 - values
            values = np.hstack([other, values])
        if np.isnan(values).all() and values.shape[1] != len(self._told["labels"]):
            return np.full((len(values), len(self._told["labels"])), np.nan)
        if not logits:
            return values
        with np.errstate(invalid="ignore"):
            powers = np.exp(values - values.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
