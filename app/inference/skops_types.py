"""The types that a skops file may hold: those of the pipelines that a training fits, and no other.

skops trusts all estimators of scikit-learn and all functions of numpy by default. This table is
shorter. It also says for each type by which node a file may name it, because the node decides what
is done with the type. No node that calls a function is in the table. The two functions that it has,
of the targets' logarithms, compute a number for a number.
"""

from collections.abc import Mapping

_SCALARS = {f"numpy.{name}" for name in ("bool", "float32", "float64", "int32", "int64", "uint64")}
_LOSSES = (
    "AbsoluteError",
    "ExponentialLoss",
    "HalfBinomialLoss",
    "HalfGammaLoss",
    "HalfMultinomialLoss",
    "HalfPoissonLoss",
    "HalfSquaredError",
    "HuberLoss",
    "PinballLoss",
)

_STEPS = {  # impute and scale numbers, encode texts, transform the target
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.compose._target.TransformedTargetRegressor",
    "sklearn.feature_extraction.text.TfidfTransformer",
    "sklearn.feature_extraction.text.TfidfVectorizer",
    "sklearn.frozen._frozen.FrozenEstimator",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.MinMaxScaler",
    "sklearn.preprocessing._data.RobustScaler",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",  # calls these two, or none
}
_LINEAR = {
    "sklearn.linear_model._base.LinearRegression",
    "sklearn.linear_model._coordinate_descent.ElasticNet",
    "sklearn.linear_model._coordinate_descent.Lasso",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.linear_model._stochastic_gradient.SGDClassifier",
    "sklearn.linear_model._stochastic_gradient.SGDRegressor",
    "sklearn.svm._classes.LinearSVC",
    "sklearn.svm._classes.LinearSVR",
}
_NAIVE_BAYES = {"sklearn.naive_bayes.GaussianNB"}
_PERCEPTRONS = {
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
    "sklearn.neural_network._multilayer_perceptron.MLPRegressor",
    "sklearn.preprocessing._label.LabelBinarizer",
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
    "sklearn.ensemble._forest.ExtraTreesClassifier",
    "sklearn.ensemble._forest.ExtraTreesRegressor",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.ensemble._iforest.IsolationForest",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.tree._classes.ExtraTreeClassifier",
    "sklearn.tree._classes.ExtraTreeRegressor",
}
_GRADIENT_BOOSTING = {  # the estimators, and their baselines
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._gb.GradientBoostingClassifier",
    "sklearn.ensemble._gb.GradientBoostingRegressor",
}
_BOOSTING = {  # the estimators, their trees, and what turns sums of leaves into answers
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    *(f"sklearn._loss.loss.{name}" for name in _LOSSES),
}
_OTHER_BOOSTING = {  # the boosters read models in formats of their own, which hold no code
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
}

TYPES_OF_NODES: Mapping[str, frozenset[str]] = {
    # values and their containers
    "JsonNode": frozenset({"builtins.str"}),
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "FunctionNode": frozenset({"numpy.expm1", "numpy.log1p"}),  # named, and not called
    "DefaultDictNode": frozenset({"collections.defaultdict"}),  # of LightGBM, with empty scores
    "TypeNode": frozenset(  # of keys, of encoders, of scores
        {"builtins.int", "builtins.str", "collections.OrderedDict", *_SCALARS}
    ),
    "SliceNode": frozenset({"builtins.slice"}),  # of a ColumnTransformer
    "BytearrayNode": frozenset({"builtins.bytearray"}),  # a model of XGBoost
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
        _GRADIENT_BOOSTING,
        _NAIVE_BAYES,
        _OTHER_BOOSTING,
        _PERCEPTRONS,
        _BOOSTING,
    ),
    # objects that are built from arrays
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "LossNode": frozenset(f"sklearn._loss._loss.Cy{name}" for name in _LOSSES),
}

TRUSTED = sorted(frozenset().union(*TYPES_OF_NODES.values()))
