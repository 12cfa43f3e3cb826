"""Trainings that a schema lets through, and whose parameters are hostile."""

from random import Random
from typing import Any

from app.protocol.estimators import ESTIMATORS
from app.protocol.training_request import TrainingSpec
from devstack.demo import TRAIN
from tests.fuzz.bodies import NOWHERE

LIMITS = {"max_seconds": 1, "max_memory": 600_000_000}
LIMITED = set(LIMITS) <= set(TrainingSpec.model_fields)

NAMES = [
    *("n_estimators", "max_depth", "random_state", "n_jobs", "verbose", "max_features", "alpha"),
    *("criterion", "min_samples_leaf", "bootstrap", "class_weight", "monotonic_cst", "warm_start"),
    *("learning_rate", "max_iter", "max_leaf_nodes", "max_bins", "categorical_features", "loss"),
    *("fit_intercept", "positive", "solver", "tol", "C", "kernel", "degree", "gamma", "coef0"),
    *("penalty", "l1_ratio", "n_neighbors", "weights", "algorithm", "leaf_size", "p", "metric"),
    *("metric_params", "interaction_cst", "early_stopping", "cache_size", "probability", "scoring"),
    *("hidden_layer_sizes", "activation", "learning_rate_init", "batch_size", "early_stopping"),
    *("init", "subsample", "n_iter_no_change", "contamination", "max_samples", "var_smoothing"),
    *("average", "eta0", "epsilon", "multi_class", "dual", "splitter", "ccp_alpha", "selection"),
    *("trees", "self", "__class__", "estimator__C", "steps", "", "\0", "\u00fc", "n_estimators "),
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 3, 10**9, 2**31, 2**63, 2**64, 10**30, -(10**30), 10**400),
    *(0.0, 0.5, 1.0, -0.5, 1e-320, 1e308, "", "auto", "sqrt", "many", "precomputed", "balanced"),
    *("rbf", "poly", "sag", "l1", "distance", "minkowski", "haversine", "os.system", "../x"),
    *("relu", "adam", "lbfgs", "adaptive", "modified_huber", "crammer_singer", "zero", [100, 100]),
    *([10**9], [0], [2**31] * 2, [10] * 1000),
    *([], [1], [[0, 1]], {}, {"p": 1}, {"a": {"b": []}}, ["a"] * 50, [None], [10**30], "\0"),
    *([[] for _ in range(20)], {"a": 10**100}, "a" * 10_000),
]


def request(rng: Random, data: str = NOWHERE) -> dict[str, Any]:
    """Return a training that passes the schema, on a data set that is there only under limits."""
    names = rng.sample(NAMES, rng.choice((1, 1, 1, 2, 5)))
    wanted = {
        **TRAIN,
        "dataset_id": data if LIMITED else NOWHERE,
        "estimator": rng.choice(list(ESTIMATORS)),
        "params": {name: rng.choice(VALUES) for name in names},
        "test_size": rng.choice((0.2, 0.2, 1e-320, 0.999999, 0.5)),
    }
    if ESTIMATORS[wanted["estimator"]].task == "anomalies":
        del wanted["target"], wanted["test_size"]
    return {**wanted, **LIMITS} if LIMITED else wanted
