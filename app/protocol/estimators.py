"""The table of estimators: one row for each name that a training may ask for.

This module does not import scikit-learn, because the producer validates names with it. `training/`
imports the classes that the rows name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Task = Literal["regression", "classification", "anomalies"]
CalibrationMethod = Literal["sigmoid", "isotonic"]
# What tells how far a fit is: a forest that grows in steps, iterations that are printed, or
# a function that is called at the end of each.
Progress = Literal["trees", "printed", "monitor"]
# What takes memory between a row and its answer, beside its columns and labels.
RowMemory = Literal["vectors", "neighbours", "tree-probabilities", "layers", "classes"]

MOST_LABELS = 10_000  # of any classifier, because each answer holds a probability for each label


@dataclass(frozen=True)
class EstimatorSpec:
    """All that is to know about an estimator.

    - `path` is `module:Class`.
    - If it is `seeded`, its `random_state` is `SEED` unless a request says otherwise; all other
      parameters have the library's defaults.
    - By default its columns of numbers are `scaled`. It gets missing numbers as they are if it
      learns from `missing` ones itself, and categories as they are if it takes them `native`ly.
    - `float32` estimators take no number beyond the range of float32.
    - `most_labels` is how many labels a classifier takes. One that grows a tree for each label in
      each iteration has the number of these in its parameter `rounds`.
    - `progress` is what tells how far its fit is, None if nothing does.
    - `row_memory` is what a row takes while it is answered, beside its columns.
    - The fit of one that is `weighted` takes weights of rows.
    - `package` is what has to be installed for it, if scikit-learn is not enough.

    Whether ONNX can compute it, `training/onnx_export.py` knows.
    """

    path: str
    task: Task
    seeded: bool = False
    scaled: bool = False
    missing: bool = False
    native: bool = False
    float32: bool = False
    most_labels: int = MOST_LABELS
    rounds: str | None = None
    progress: Progress | None = None
    row_memory: RowMemory | None = None
    weighted: bool = True
    package: str | None = None

    @property
    def class_name(self) -> str:
        """The name of the class."""
        return self.path.partition(":")[2]


_REGRESSION: Task = "regression"
_CLASSIFICATION: Task = "classification"
_ANOMALIES: Task = "anomalies"  # without a target

SEED = 42
DEFAULT_ESTIMATOR = "random_forest_regressor"
CLASSIFIER_OF_CLASSES = "random_forest_classifier"  # the default of a target of text or booleans
_MATRICES = 2_000  # labels of those that keep a matrix of labels for each tree
_PAIRS = 1_000  # labels of those that keep a score for each pair of labels

ESTIMATORS: Mapping[str, EstimatorSpec] = {
    "random_forest_regressor": EstimatorSpec(
        "sklearn.ensemble:RandomForestRegressor",
        _REGRESSION,
        seeded=True,
        float32=True,
        progress="trees",
    ),
    "random_forest_classifier": EstimatorSpec(
        "sklearn.ensemble:RandomForestClassifier",
        _CLASSIFICATION,
        seeded=True,
        float32=True,
        most_labels=_MATRICES,
        progress="trees",
        row_memory="tree-probabilities",
    ),
    "extra_trees_regressor": EstimatorSpec(
        "sklearn.ensemble:ExtraTreesRegressor",
        _REGRESSION,
        seeded=True,
        float32=True,
        progress="trees",
    ),
    "extra_trees_classifier": EstimatorSpec(
        "sklearn.ensemble:ExtraTreesClassifier",
        _CLASSIFICATION,
        seeded=True,
        float32=True,
        most_labels=_MATRICES,
        progress="trees",
        row_memory="tree-probabilities",
    ),
    "decision_tree_regressor": EstimatorSpec(
        "sklearn.tree:DecisionTreeRegressor", _REGRESSION, seeded=True, float32=True
    ),
    "decision_tree_classifier": EstimatorSpec(
        "sklearn.tree:DecisionTreeClassifier",
        _CLASSIFICATION,
        seeded=True,
        float32=True,
        most_labels=_MATRICES,
        row_memory="tree-probabilities",
    ),
    "gradient_boosting_regressor": EstimatorSpec(
        "sklearn.ensemble:GradientBoostingRegressor",
        _REGRESSION,
        seeded=True,
        float32=True,
        progress="monitor",
    ),
    "gradient_boosting_classifier": EstimatorSpec(
        "sklearn.ensemble:GradientBoostingClassifier",
        _CLASSIFICATION,
        seeded=True,
        float32=True,
        rounds="n_estimators",
        progress="monitor",
    ),
    "hist_gradient_boosting_regressor": EstimatorSpec(
        "sklearn.ensemble:HistGradientBoostingRegressor",
        _REGRESSION,
        seeded=True,
        missing=True,
        native=True,
        progress="printed",
    ),
    "hist_gradient_boosting_classifier": EstimatorSpec(
        "sklearn.ensemble:HistGradientBoostingClassifier",
        _CLASSIFICATION,
        seeded=True,
        missing=True,
        native=True,
        rounds="max_iter",
        progress="printed",
    ),
    "linear_regression": EstimatorSpec("sklearn.linear_model:LinearRegression", _REGRESSION),
    "ridge": EstimatorSpec("sklearn.linear_model:Ridge", _REGRESSION, seeded=True, scaled=True),
    "lasso": EstimatorSpec("sklearn.linear_model:Lasso", _REGRESSION, seeded=True, scaled=True),
    "elastic_net": EstimatorSpec(
        "sklearn.linear_model:ElasticNet", _REGRESSION, seeded=True, scaled=True
    ),
    "sgd_regressor": EstimatorSpec(
        "sklearn.linear_model:SGDRegressor", _REGRESSION, seeded=True, scaled=True
    ),
    "sgd_classifier": EstimatorSpec(
        "sklearn.linear_model:SGDClassifier", _CLASSIFICATION, seeded=True, scaled=True
    ),
    "logistic_regression": EstimatorSpec(
        "sklearn.linear_model:LogisticRegression", _CLASSIFICATION, seeded=True, scaled=True
    ),
    "linear_svm_regressor": EstimatorSpec(
        "sklearn.svm:LinearSVR", _REGRESSION, seeded=True, scaled=True
    ),
    "linear_svm_classifier": EstimatorSpec(
        "sklearn.svm:LinearSVC", _CLASSIFICATION, seeded=True, scaled=True
    ),
    "svm_regressor": EstimatorSpec(
        "sklearn.svm:SVR", _REGRESSION, scaled=True, row_memory="vectors"
    ),
    "svm_classifier": EstimatorSpec(
        "sklearn.svm:SVC",
        _CLASSIFICATION,
        seeded=True,
        scaled=True,
        most_labels=_PAIRS,
        row_memory="vectors",
    ),
    "knn_regressor": EstimatorSpec(
        "sklearn.neighbors:KNeighborsRegressor",
        _REGRESSION,
        scaled=True,
        row_memory="neighbours",
        weighted=False,
    ),
    "knn_classifier": EstimatorSpec(
        "sklearn.neighbors:KNeighborsClassifier",
        _CLASSIFICATION,
        scaled=True,
        row_memory="neighbours",
        weighted=False,
    ),
    "gaussian_nb": EstimatorSpec(
        "sklearn.naive_bayes:GaussianNB", _CLASSIFICATION, row_memory="classes"
    ),
    "mlp_regressor": EstimatorSpec(
        "sklearn.neural_network:MLPRegressor",
        _REGRESSION,
        seeded=True,
        scaled=True,
        row_memory="layers",
    ),
    "mlp_classifier": EstimatorSpec(
        "sklearn.neural_network:MLPClassifier",
        _CLASSIFICATION,
        seeded=True,
        scaled=True,
        row_memory="layers",
    ),
    "isolation_forest": EstimatorSpec(
        "sklearn.ensemble:IsolationForest", _ANOMALIES, seeded=True, float32=True
    ),
    "xgboost_regressor": EstimatorSpec(
        "xgboost:XGBRegressor",
        _REGRESSION,
        seeded=True,
        missing=True,
        float32=True,
        package="xgboost-cpu",
    ),
    "xgboost_classifier": EstimatorSpec(
        "xgboost:XGBClassifier",
        _CLASSIFICATION,
        seeded=True,
        missing=True,
        float32=True,
        rounds="n_estimators",
        package="xgboost-cpu",
    ),
    "lightgbm_regressor": EstimatorSpec(
        "lightgbm:LGBMRegressor", _REGRESSION, seeded=True, missing=True, package="lightgbm"
    ),
    "lightgbm_classifier": EstimatorSpec(
        "lightgbm:LGBMClassifier",
        _CLASSIFICATION,
        seeded=True,
        missing=True,
        rounds="n_estimators",
        package="lightgbm",
    ),
}
CLASS_NAMES = {spec.class_name: name for name, spec in ESTIMATORS.items()}
COMPARE_IN_FLOAT32 = frozenset(name for name, spec in ESTIMATORS.items() if spec.float32)
