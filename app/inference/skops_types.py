"""The types that a skops file may hold: those of the pipelines that a training fits, and no other.

skops trusts all estimators of scikit-learn and all functions of numpy by default. This table is
shorter. It also says for each type by which node a file may name it, because the node decides what
is done with the type. No node that calls a function is in the table.
"""

from collections.abc import Mapping

_SCALARS = {f"numpy.{name}" for name in ("bool", "float32", "float64", "int32", "int64", "uint64")}
_LOSSES = (
    "AbsoluteError",
    "HalfBinomialLoss",
    "HalfGammaLoss",
    "HalfMultinomialLoss",
    "HalfPoissonLoss",
    "HalfSquaredError",
    "PinballLoss",
)

_STEPS = {  # impute numbers, encode texts
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._encoders.OneHotEncoder",
}
_LINEAR = {
    "sklearn.linear_model._base.LinearRegression",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._ridge.Ridge",
}
_SUPPORT_VECTORS = {"sklearn.svm._classes.SVC", "sklearn.svm._classes.SVR"}
_CALIBRATION = {  # a classifier, and the curves that turn its scores into probabilities
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.isotonic.IsotonicRegression",
}
_NEIGHBOURS = {  # the estimators, and the trees that they search
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._regression.KNeighborsRegressor",
}
_DISTANCES = {  # by which these trees measure
    f"sklearn.metrics._dist_metrics.{name}Distance64"
    for name in (
        "BrayCurtis",
        "Canberra",
        "Chebyshev",
        "Dice",
        "Euclidean",
        "Hamming",
        "Haversine",
        "Jaccard",
        "Manhattan",
        "Minkowski",
        "RogersTanimoto",
        "RussellRao",
        "SEuclidean",
        "SokalMichener",
        "SokalSneath",
    )
}
_FORESTS = {
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._classes.DecisionTreeRegressor",
}
_BOOSTING = {  # the estimators, their trees, and what turns sums of leaves into answers
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    *(f"sklearn._loss.loss.{name}" for name in _LOSSES),
}

TYPES_OF_NODES: Mapping[str, frozenset[str]] = {
    # values and their containers
    "JsonNode": frozenset({"builtins.str"}),
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": frozenset({"builtins.int", "builtins.str", *_SCALARS}),  # of keys, of encoders
    "SliceNode": frozenset({"builtins.slice"}),  # of a ColumnTransformer
    "NdArrayNode": frozenset({"numpy.ndarray", *_SCALARS}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    # objects whose attributes are set
    "ObjectNode": frozenset().union(
        _STEPS,
        _LINEAR,
        _SUPPORT_VECTORS,
        _CALIBRATION,
        _NEIGHBOURS,
        _DISTANCES,
        _FORESTS,
        _BOOSTING,
    ),
    # objects that are built from arrays
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "LossNode": frozenset(f"sklearn._loss._loss.Cy{name}" for name in _LOSSES),
}

TRUSTED = sorted(frozenset().union(*TYPES_OF_NODES.values()))
