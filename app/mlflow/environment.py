"""The packages that an exported model needs, in the versions that answer here."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from app.models.manifest import TrainedManifest
from app.protocol.estimators import ESTIMATORS

_ONNX = ("onnxruntime",)
_PIPELINE = ("scikit-learn", "skops")
_ALL = ("numpy", "pandas")
_MLFLOW = "mlflow>=2.20"  # the first one whose signatures have the type `any`


def packages_of(manifest: TrainedManifest | None) -> list[str]:
    """Return the names of the packages of a trained model, or of an uploaded ONNX file."""
    if manifest is None or manifest.runtime == "onnx":
        return sorted((*_ONNX, *_ALL))
    spec = ESTIMATORS.get(manifest.estimator)
    more = (spec.package,) if spec and spec.package else ()
    return sorted((*_PIPELINE, *_ALL, *more))


def requirements(packages: Sequence[str]) -> str:
    """Return the content of `requirements.txt`: the packages in the versions of this process."""
    return "".join(f"{line}\n" for line in (_MLFLOW, *map(_pinned, packages)))


def python_env() -> str:
    """Return the content of `python_env.yaml`."""
    return (
        f"python: {platform.python_version()}\n"
        "build_dependencies:\n- pip\n"
        "dependencies:\n- -r requirements.txt\n"
    )


def _pinned(package: str) -> str:
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:  # an extra that only consumers have
        return package
