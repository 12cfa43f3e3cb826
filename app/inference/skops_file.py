"""Write and read fitted pipelines as skops files, which hold no code and no pickle.

A skops file is a zip archive: `schema.json` describes the objects, `.npy` files hold the arrays.
Ours also holds the manifest. Only child processes import this module, because it imports
scikit-learn.
"""

import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from app import errors
from app.inference.skops_types import TRUSTED, TYPES_OF_NODES
from app.models.manifest import METADATA_KEY, TrainedManifest

_MANIFEST = f"{METADATA_KEY}.json"
_SCHEMA = "schema.json"
# numpy's formats, which are read without unpickling, and bytes, such as a model of XGBoost.
_ARRAYS = (".npy", ".npz", ".bin")

# What only a fit needs, by the modules of scikit-learn.
_FIT_STATE = (
    *("_feature_subsample_rng", "_scorer", "_raw_predict"),  # the last hides the class's own method
    "_rng",  # of gradient boosting
    "_loss_function_",  # of stochastic gradient descent
    *("_best_score", "_evals_result"),  # of LightGBM
    *("_optimizer", "_random_state", "_best_coefs", "_best_intercepts"),  # of perceptrons
)


def dump(pipeline: Pipeline, manifest: TrainedManifest, path: Path) -> None:
    """Write a fitted pipeline and its manifest into the file `path`.

    The estimator forgets what only its fit needed.
    """
    _forget_fit(pipeline.steps[-1][1])
    skops.io.dump(pipeline, path)
    with ZipFile(path, "a") as file:
        file.writestr(_MANIFEST, manifest.model_dump_json())


def load(path: Path) -> tuple[Pipeline, TrainedManifest]:
    """Read a fitted pipeline and its manifest. Raises `errors.Corrupt` or `MemoryError`.

    Each node of the file must have a type that `skops_types` names, and no member may be
    compressed, so that nothing grows beyond the size of the file.
    """
    try:
        with ZipFile(path) as file:
            _check_members(file, path.stat().st_size)
            _check_nodes(json.loads(file.read(_SCHEMA)))
            manifest = TrainedManifest.model_validate_json(file.read(_MANIFEST))
        pipeline = skops.io.load(path, trusted=TRUSTED)
    except (errors.Corrupt, MemoryError):
        raise
    except ModuleNotFoundError as error:
        raise errors.Corrupt(
            f"the stored model needs the package {error.name}, which is not installed here"
        ) from error
    except Exception as error:  # zipfile, json, skops, numpy and scikit-learn raise any error
        raise errors.Corrupt(f"the stored model cannot be loaded: {error}") from error
    if not isinstance(pipeline, Pipeline):
        raise errors.Corrupt("the stored model is not a pipeline")
    return pipeline, manifest


def _forget_fit(estimator: BaseEstimator) -> None:
    """Delete what skops cannot write and predictions do not need, here and in the parts."""
    for name in _FIT_STATE:
        vars(estimator).pop(name, None)
    for tree in np.ravel(getattr(estimator, "estimators_", ())):
        if isinstance(tree.random_state, np.random.RandomState):  # shared by all trees of a fit
            tree.random_state = None
    if (columns := vars(estimator).get("_preprocessor")) is not None:  # of categories of a booster
        _forget_checks(columns)
    for part in getattr(estimator, "calibrated_classifiers_", ()):
        _forget_fit(part.estimator)
    if (learnt := vars(estimator).get("regressor_")) is not None:  # frozen, of a transformed target
        _forget_fit(learnt.estimator)


def _forget_checks(columns: ColumnTransformer) -> None:
    """Have a booster pass its numbers through; ours are float64, which it would make them."""
    for _, step, _ in [*columns.transformers, *columns.transformers_]:
        if isinstance(step, FunctionTransformer):
            step.func = None


def _check_members(file: ZipFile, size: int) -> None:
    """Raise `errors.Corrupt` for members that a file of ours cannot have; it has `size` bytes."""
    members = file.infolist()
    names = [each.filename for each in members]
    if len(set(names)) < len(names):
        raise errors.Corrupt("the stored model has two members of one name")
    for each in members:
        if not each.filename.endswith(_ARRAYS) and each.filename not in (_SCHEMA, _MANIFEST):
            raise errors.Corrupt(f"the stored model holds a foreign file, {each.filename}")
        if each.compress_type != ZIP_STORED:
            raise errors.Corrupt(f"the stored model is compressed: {each.filename}")
    if sum(each.file_size for each in members) > size:
        raise errors.Corrupt("the stored model claims to be larger than its file")


def _check_nodes(schema: Any) -> None:
    """Raise `errors.Corrupt` unless the table allows the type and the kind of each node."""
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            waiting += each.values()
            if "__loader__" in each:
                node, name = each["__loader__"], f"{each['__module__']}.{each['__class__']}"
                if name not in TYPES_OF_NODES.get(node, ()):
                    raise errors.Corrupt(f"the stored model holds {name} in a {node}")
