"""Export a model as a folder that MLflow loads without Warren."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app import errors
from app.mlflow.environment import packages_of, python_env, requirements
from app.mlflow.mlmodel import LOADER, mlmodel
from app.mlflow.model_json import describe_trained, describe_uploaded
from app.mlflow.signature import inputs_of, outputs_of
from app.models.manifest import OnnxManifest, TrainedManifest
from app.models.record import ModelRecord, StoredFile
from app.protocol.types import Row

_EXAMPLE = "input_example.json"
_FILES = {"onnx": "model.onnx", "scikit-learn": "model.skops"}


@dataclass(frozen=True)
class Export:
    """The files of an export by their names; the model's own, `model_name`, lies in S3."""

    files: Mapping[str, bytes]
    model_name: str
    stored: StoredFile

    @property
    def tag(self) -> str:
        """What tells this export from others: a hash of its content."""
        found = hashlib.sha256(self.stored.sha256.encode())
        for name, content in sorted(self.files.items()):
            found.update(f"\0{name}\0{len(content)}\0".encode() + content)
        return found.hexdigest()


def export_of(record: ModelRecord, manifest: TrainedManifest | None, shown: str) -> Export:
    """Return the export of a model; a trained one has its `manifest`.

    `shown` is the model's id as its reader has it. The export is the same for the same model and
    the same versions of the packages. Raises `errors.Conflict` for a model of images and for an
    endpoint, which MLflow cannot load.
    """
    spec = manifest or record.spec
    if record.file is None or not isinstance(spec, TrainedManifest | OnnxManifest):
        raise errors.Conflict(
            "model_id",
            f"model {shown} is an endpoint: there is no file that MLflow could load",
        )
    if isinstance(spec, OnnxManifest):
        return _uploaded(record, record.file, spec, shown)
    name = _FILES[spec.runtime]
    return Export(
        _files(
            record,
            spec,
            shown,
            told=describe_trained(spec, name),
            sample=spec.sample,
            packages=packages_of(spec),
            probabilities=spec.probabilities,
        ),
        name,
        record.file,
    )


def _uploaded(record: ModelRecord, stored: StoredFile, spec: OnnxManifest, shown: str) -> Export:
    if spec.image:
        raise errors.Conflict(
            "model_id",
            f"model {shown} takes images, which MLflow has no type of column for; "
            "download its ONNX file by format=onnx",
        )
    name = _FILES["onnx"]
    files = _files(
        record,
        spec,
        shown,
        told=describe_uploaded(spec, name),
        sample=spec.sample_or_zeros,
        packages=packages_of(None),
        probabilities=True,
    )
    return Export(files, name, stored)


def _files(
    record: ModelRecord,
    spec: TrainedManifest | OnnxManifest,
    shown: str,
    *,
    told: dict[str, Any],
    sample: Row | None,
    packages: list[str],
    probabilities: bool,
) -> dict[str, bytes]:
    """Return all files but the model's own."""
    inputs = inputs_of(spec)
    names = [each["name"] for each in inputs]
    texts = {
        "MLmodel": mlmodel(
            inputs,
            outputs_of(spec.labels, probabilities=probabilities),
            uuid=(record.file.sha256 if record.file else "")[:32],
            created_at=record.trained_at or record.created_at,
            example=_EXAMPLE if sample is not None else None,
            metadata=_metadata(shown, spec),
        ),
        "requirements.txt": requirements(packages),
        "python_env.yaml": python_env(),
        "model.json": json.dumps(told),
    }
    if sample is not None:
        row = [sample.get(name) for name in names]
        texts[_EXAMPLE] = json.dumps({"columns": names, "data": [row]})
    return {name: text.encode() for name, text in texts.items()} | _loader()


def _metadata(shown: str, spec: TrainedManifest | OnnxManifest) -> dict[str, str]:
    """Return where the model is from."""
    found = {"warren_model_id": shown}
    if isinstance(spec, TrainedManifest):
        found["warren_estimator"] = spec.estimator
        if spec.dataset_version is not None:
            found["warren_dataset_version"] = spec.dataset_version
    return found


@cache
def _loader() -> dict[str, bytes]:
    """Return the modules that load the model, by their names in the export."""
    folder = Path(__file__).with_name(LOADER)
    return {f"code/{LOADER}/{each.name}": each.read_bytes() for each in folder.glob("*.py")}
