import io
import json
import pickle
import zipfile

import joblib
import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from app import errors
from app.inference import skops_file
from app.inference.sklearn_answers import answer
from tests.support import pipelines

TREES = {"n_estimators": 3, "random_state": 42}
ROUNDS = {"max_iter": 3, "random_state": 42}
METRICS = {
    "ball_tree": [
        *("braycurtis", "canberra", "chebyshev", "cityblock", "dice", "euclidean", "hamming"),
        *("infinity", "jaccard", "l1", "l2", "manhattan", "minkowski", "p", "rogerstanimoto"),
        *("russellrao", "sokalmichener", "sokalsneath"),
    ],
    "kd_tree": ["chebyshev", "euclidean", "manhattan", "minkowski"],
    "brute": [
        *("braycurtis", "canberra", "chebyshev", "correlation", "cosine", "euclidean", "hamming"),
        *("manhattan", "minkowski", "nan_euclidean", "sqeuclidean", "yule"),
    ],
}
ESTIMATORS = [
    *(LinearRegression(**each) for each in ({}, {"positive": True}, {"fit_intercept": False})),
    *(Ridge(solver=each) for each in ("auto", "svd", "cholesky", "lsqr", "sag", "saga")),
    Ridge(positive=True),
    *(
        LogisticRegression(solver=each, max_iter=20)
        for each in ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")
    ),
    LogisticRegression(class_weight={0: 1.0, 1: 2.0, 2: 1.0}),
    *(SVR(kernel=each) for each in ("rbf", "linear", "poly", "sigmoid")),
    *(SVC(kernel=each) for each in ("rbf", "linear", "poly", "sigmoid")),
    SVC(break_ties=True, class_weight={0: 1.0, 1: 2.0, 2: 1.0}),
    *(
        RandomForestRegressor(**TREES, criterion=each)
        for each in ("squared_error", "absolute_error", "poisson")
    ),
    RandomForestClassifier(**TREES, criterion="entropy", class_weight="balanced_subsample"),
    ExtraTreesRegressor(**TREES),
    ExtraTreesClassifier(**TREES, bootstrap=True, oob_score=True),
    *(DecisionTreeRegressor(splitter=each) for each in ("best", "random")),
    DecisionTreeClassifier(class_weight="balanced"),
    *(
        GradientBoostingRegressor(**TREES, loss=each)
        for each in ("squared_error", "absolute_error", "huber", "quantile")
    ),
    GradientBoostingRegressor(**TREES, init="zero", n_iter_no_change=1),
    GradientBoostingClassifier(**TREES, subsample=0.5),
    Lasso(precompute=True),
    ElasticNet(selection="random"),
    SGDRegressor(average=True, early_stopping=True),
    *(
        SGDClassifier(loss=each)
        for each in (
            *("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "huber"),
            *("squared_error", "epsilon_insensitive", "squared_epsilon_insensitive"),
        )
    ),
    LinearSVR(),
    LinearSVC(class_weight={0: 1.0, 1: 2.0, 2: 1.0}),
    GaussianNB(),
    *(
        MLPRegressor(
            hidden_layer_sizes=(5,), solver=each, max_iter=5, early_stopping=each == "adam"
        )
        for each in ("adam", "sgd", "lbfgs")
    ),
    *(MLPClassifier([5, 3], solver=each, max_iter=5) for each in ("adam", "sgd", "lbfgs")),
    XGBRegressor(**TREES, booster="dart"),
    XGBClassifier(**TREES),
    LGBMRegressor(**TREES, verbose=-1),
    LGBMClassifier(**TREES, verbose=-1, class_weight={0: 1.0, 1: 2.0, 2: 1.0}),
    *(
        HistGradientBoostingRegressor(**ROUNDS, loss=each, quantile=0.3)
        for each in ("squared_error", "absolute_error", "gamma", "poisson", "quantile")
    ),
    HistGradientBoostingRegressor(max_iter=3, early_stopping=True, scoring="r2"),
    HistGradientBoostingClassifier(**ROUNDS, early_stopping=True, scoring="accuracy"),
    HistGradientBoostingClassifier(**ROUNDS, warm_start=True, max_features=0.5),
    *(
        KNeighborsRegressor(algorithm=algorithm, metric=metric)
        for algorithm, metrics in METRICS.items()
        for metric in metrics
    ),
    *(KNeighborsClassifier(p=each, weights="distance") for each in (1, 1.5, 2, 3)),
    *(
        CalibratedClassifierCV(base, method=method, ensemble=ensemble, cv=3)
        for base in (
            SVC(),
            HistGradientBoostingClassifier(**ROUNDS, early_stopping=True),
            GradientBoostingClassifier(**TREES),
            MLPClassifier((5,), max_iter=5),
        )
        for method in ("sigmoid", "isotonic", "temperature")
        for ensemble in (True, False)
    ),
]


@pytest.mark.filterwarnings("ignore")  # of scikit-learn, about few rounds and odd metrics
@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_a_pipeline_comes_back_as_it_was(estimator, texts, tmp_path):
    pipeline, manifest = pipelines.fitted(estimator, texts=texts)
    inputs = pipelines.inputs(texts=texts)
    expected = answer(pipeline, manifest, inputs)

    skops_file.dump(pipeline, manifest, tmp_path / "model.skops")
    loaded, described = skops_file.load(tmp_path / "model.skops")

    assert described == manifest
    answers = answer(loaded, described, inputs)
    for one, other in zip(expected, answers, strict=True):
        np.testing.assert_array_equal(one, other)


def node(loader, module, name, **more):
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **more}


def json_node(value):
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def items(*nodes):
    return node("TupleNode", "builtins", "tuple", content=list(nodes))


SHELL = items(json_node("touch harmed"))
SYSTEM = node("FunctionNode", "os", "system")

HARMFUL = {
    "a function": SYSTEM,
    "a function that skops trusts": node("FunctionNode", "numpy", "log"),
    "a call": node(
        *("PartialNode", "functools", "partial"),
        content={"func": SYSTEM, "args": SHELL, "kwds": SHELL, "namespace": SHELL},
    ),
    "a method": node(
        *("MethodNode", "sklearn.svm._classes", "SVC"), content={"func": "fit", "obj": SHELL}
    ),
    "an operator": node("OperatorFuncNode", "operator", "call", attrs=SHELL),
    "a constructor": node("ConstructorFromReduceNode", "subprocess", "Popen", content=SHELL),
    "an object of another type": node("ObjectNode", "subprocess", "Popen", content=SHELL),
    "an estimator that no training fits": node("ObjectNode", "sklearn.svm._classes", "NuSVC"),
    "a function that no training writes": node("FunctionNode", "numpy", "save"),
    "a known type in another node": node("FunctionNode", "sklearn.pipeline", "Pipeline"),
    "a class": node("TypeNode", "os", "_wrap_close"),
    "a tree of another type": node("TreeNode", "os", "system", __reduce__={"args": SHELL}),
    "a loss of another type": node("LossNode", "os", "system", __reduce__={"args": SHELL}),
    "a dictionary of another type": node("DictNode", "os", "_Environ", content={}),
    "a list of another type": node("ListNode", "os", "system", content=[json_node("harm")]),
    "a scalar of another type": node("NdArrayNode", "os", "system", type="numpy", file="1.npy"),
    "a random generator": node("RandomGeneratorNode", "numpy.random._generator", "Generator"),
    "an unknown node": node("HarmNode", "builtins", "str"),
}


def members(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewrite(path, changes, compression=zipfile.ZIP_STORED):
    content = {**members(path), **changes}
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, each in content.items():
            file.writestr(name, each)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return pipelines.neighbours(tmp_path / "model.skops")


def params(schema):
    """The attributes of the pipeline that a file holds."""
    return schema["content"]["content"]


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("harm", HARMFUL.values(), ids=HARMFUL)
def test_a_node_that_no_training_writes_is_refused(path, harm, protocol):
    schema = json.loads(members(path)["schema.json"])
    params(schema)["memory"] = harm
    schema["protocol"] = protocol
    rewrite(path, {"schema.json": json.dumps(schema)})

    with pytest.raises(errors.Corrupt, match=r"the stored model holds .* in a \w+Node"):
        skops_file.load(path)

    assert [each.name for each in path.parent.iterdir()] == ["model.skops"]


class Harm:
    def __reduce__(self):
        return open, ("harmed", "w")


def array(values):
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def joblib_bytes():
    file = io.BytesIO()
    joblib.dump(Harm(), file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "../harm.py"])
def test_a_foreign_member_is_refused(path, name):
    rewrite(path, {name: pickle.dumps(Harm())})

    with pytest.raises(errors.Corrupt, match="holds a foreign file"):
        skops_file.load(path)


@pytest.mark.parametrize(
    "content", [array(np.array([Harm()], object)), pickle.dumps(Harm()), joblib_bytes(), b""]
)
def test_an_array_is_not_unpickled(path, content):
    arrays = [name for name in members(path) if name.endswith(".npy")]
    rewrite(path, dict.fromkeys(arrays, content))

    with pytest.raises(errors.Corrupt, match="cannot be loaded"):
        skops_file.load(path)

    assert [each.name for each in path.parent.iterdir()] == ["model.skops"]


@pytest.mark.parametrize("content", [pickle.dumps(Harm()), joblib_bytes(), b"", b"PK\x03\x04"])
def test_what_is_no_archive_is_refused(path, content):
    path.write_bytes(content)

    with pytest.raises(errors.Corrupt, match="cannot be loaded"):
        skops_file.load(path)

    assert [each.name for each in path.parent.iterdir()] == ["model.skops"]


def test_a_member_that_would_grow_is_refused(path):
    rewrite(path, {"1.npy": bytes(10_000_000)}, zipfile.ZIP_DEFLATED)

    with pytest.raises(errors.Corrupt, match="is compressed"):
        skops_file.load(path)


def test_members_that_share_their_bytes_are_refused(path):
    rewrite(path, {"1.npy": bytes(100_000)})
    with zipfile.ZipFile(path, "a") as file:
        shared = file.getinfo("1.npy")
        for number in range(100):
            member = zipfile.ZipInfo(f"{number}0.npy")
            member.header_offset, member.CRC = shared.header_offset, shared.CRC
            member.file_size = member.compress_size = shared.file_size
            file.filelist.append(member)
        file._didModify = True

    with pytest.raises(errors.Corrupt, match="claims to be larger"):
        skops_file.load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(path):
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("schema.json", b"{}")

    with pytest.raises(errors.Corrupt, match="two members of one name"):
        skops_file.load(path)


@pytest.mark.parametrize(
    "schema",
    [
        "[" * 100_000,
        "{}",
        "null",
        json.dumps({"protocol": 3}),
        json.dumps({"protocol": 2, **SHELL}),
    ],
    ids=["deep", "empty", "null", "of the future", "no pipeline"],
)
def test_a_broken_schema_is_refused(path, schema):
    rewrite(path, {"schema.json": schema})

    with pytest.raises(errors.Corrupt):
        skops_file.load(path)


@pytest.mark.parametrize("manifest", [b"", b"{}", b"null"])
def test_a_broken_manifest_is_refused(path, manifest):
    rewrite(path, {"warren.json": manifest})

    with pytest.raises(errors.Corrupt, match="cannot be loaded"):
        skops_file.load(path)
