import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors, serving
from app.serving import ModelCache
from tests.unit import frames

LARGEST = float(np.finfo(np.float32).max)
GOOD = {"a": 0.5, "b": 1, "c": -2.0, "colour": "red", "flag": True}


@pytest.fixture(scope="module")
def model():
    return frames.trained("everything")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"a": 0},
        {"a": -0.0},
        {"a": LARGEST},
        {"a": -LARGEST},
        {"a": None, "colour": None, "flag": None},
        {"colour": ""},
        {"colour": "never seen"},
        {"colour": "ä\U0001f600\n"},
        {"flag": False},
    ],
)
def test_a_row_that_fits_is_answered(model, changes):
    row = {**GOOD, **changes}

    model.check(row)
    (answer,) = model.predict([row])

    assert np.isfinite(answer["prediction"])


@pytest.mark.parametrize(
    ("changes", "field", "wanted"),
    [
        ({"a": "0.5"}, "a", "a number or null"),
        ({"a": True}, "a", "a number or null"),
        ({"a": [0.5]}, "a", "a number or null"),
        ({"a": {"x": 1}}, "a", "a number or null"),
        ({"b": None}, "b", "a number"),
        ({"b": LARGEST * 2}, "b", "a number"),
        ({"b": -LARGEST * 2}, "b", "a number"),
        ({"b": 10**4000}, "b", "a number"),
        ({"colour": 1}, "colour", "a text or null"),
        ({"colour": False}, "colour", "a text or null"),
        ({"colour": ["red"]}, "colour", "a text or null"),
        ({"flag": 1}, "flag", "a boolean or null"),
        ({"flag": "true"}, "flag", "a boolean or null"),
        ({"flag": 0.0}, "flag", "a boolean or null"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_the_name_of_its_feature(
    model, changes, field, wanted
):
    with pytest.raises(errors.Invalid, match=f"expected {wanted}, not") as caught:
        model.check({**GOOD, **changes})

    assert caught.value.extra["field"] == f"input_data.{field}"
    assert len(caught.value.detail) < 300


def test_a_missing_feature_is_refused_by_its_name(model):
    row = {name: value for name, value in GOOD.items() if name not in ("b", "flag")}

    with pytest.raises(errors.Invalid, match=r"missing b, flag; .* takes a, b, c, ") as caught:
        model.check(row)

    assert caught.value.extra["field"] == "input_data.b"


def test_an_unknown_feature_is_refused_by_its_name(model):
    with pytest.raises(errors.Invalid, match="unknown size") as caught:
        model.check({**GOOD, "size": 1})

    assert caught.value.extra["field"] == "input_data.size"


def test_a_missing_and_an_unknown_feature_are_refused(model):
    row = {**GOOD, "colur": "red"}
    del row["colour"]

    with pytest.raises(errors.Invalid, match="missing colour") as caught:
        model.check(row)

    assert caught.value.extra["field"] == "input_data.colour"


def test_an_empty_row_is_refused(model):
    with pytest.raises(errors.Invalid, match="missing a, b, c, colour, flag"):
        model.check({})


def test_the_order_of_a_row_does_not_matter(model):
    backwards = dict(reversed(GOOD.items()))

    model.check(backwards)

    assert model.predict([backwards]) == model.predict([GOOD])


numbers = st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)
rows = st.fixed_dictionaries(
    {
        "a": st.none() | numbers,
        "b": numbers,
        "c": numbers,
        "colour": st.none() | st.text(max_size=5) | st.sampled_from(["red", "green", "blue"]),
        "flag": st.none() | st.booleans(),
    }
)


@pytest.mark.parametrize(
    "estimator", ["random_forest_regressor", "hist_gradient_boosting_classifier"]
)
@given(asked=st.lists(rows, min_size=1, max_size=20))
def test_trees_answer_a_batch_as_they_answer_each_row_alone(estimator, asked):
    model = frames.trained("everything", estimator)
    for row in asked:
        model.check(row)

    assert model.predict(asked) == [answer for row in asked for answer in model.predict([row])]


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@given(asked=st.lists(rows, min_size=1, max_size=20))
def test_a_batch_is_answered_like_each_row_alone(estimator, asked):
    model = frames.trained("everything", estimator)

    together = model.predict(asked)
    alone = [answer for row in asked for answer in model.predict([row])]

    assert [answer is None for answer in together] == [answer is None for answer in alone]
    for one, other in zip(together, alone, strict=True):
        if one and estimator in frames.REGRESSORS:
            assert one == pytest.approx(other, rel=1e-4, abs=1e-5)
        elif one:
            assert one["pred_proba"] == pytest.approx(other["pred_proba"], abs=1e-5)


@pytest.mark.parametrize("estimator", frames.CLASSIFIERS)
def test_a_classifier_answers_the_most_probable_label(estimator):
    model = frames.trained("numeric", estimator)

    for row in [{"a": a, "b": 0.1, "c": 0.2} for a in (-1.0, -0.1, 0.1, 1.0)]:
        (answer,) = model.predict([row])
        assert set(answer["pred_proba"]) == {"0", "1"}
        assert sum(answer["pred_proba"].values()) == pytest.approx(1, abs=1e-6)
        assert answer["prediction"] == int(
            max(answer["pred_proba"], key=answer["pred_proba"].__getitem__)
        )


class Overflowing(serving.Model):
    """A model that answers infinity to numbers that are far out."""

    def run(self, inputs):
        return np.where(inputs["number"][:, 0] > 1e30, np.inf, 1.0)


def test_what_is_not_finite_is_no_answer():
    model = Overflowing(frames.file("numeric", "ridge"))
    near, far = {"a": 1.0, "b": 0, "c": 0}, {"a": LARGEST, "b": 0, "c": 0}

    assert model.predict([far, near]) == [None, {"prediction": 1.0, "pred_proba": 1.0}]


def test_many_threads_may_ask_one_model(model):
    wanted = model.predict([GOOD])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: model.predict([GOOD]), range(200)))

    assert answers == [wanted] * 200


@pytest.mark.parametrize("file", [b"", b"no model", b"\x00" * 100])
def test_what_is_no_model_is_corrupt(file):
    with pytest.raises(errors.Corrupt):
        serving.Model(file)


def test_a_cut_model_is_corrupt():
    file = frames.file("numeric", "ridge")

    with pytest.raises(errors.Corrupt):
        serving.Model(file[: len(file) // 2])


def test_a_model_without_a_manifest_is_corrupt():
    graph = onnx.load_from_string(frames.file("numeric", "ridge"))
    del graph.metadata_props[:]

    with pytest.raises(errors.Corrupt):
        serving.Model(graph.SerializeToString())


@pytest.mark.parametrize(
    ("expected", "answered", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([10.0, 10.0], [10.0, 11.0], 0.1),
        ([100.0, 300.0], [100.0, 303.0], 0.01),
        ([0.0, 2.0], [0.5, 2.0], 0.5),
        ([0.0, 0.0], [0.0, 0.25], 0.25),
        ([[0.5, 0.5]], [[0.25, 0.75]], 0.5),
    ],
)
def test_parity_is_the_largest_relative_difference(expected, answered, difference):
    assert serving.parity(np.array(expected), np.array(answered)) == pytest.approx(difference)


class FakeModel:
    def __init__(self, name, size=1):
        self.name = name
        self.bytes = size


class Shelf:
    """Loads models of one size, and counts."""

    def __init__(self, size=1):
        self.loaded = []
        self.size = size

    def __call__(self, model_id):
        self.loaded.append(model_id)
        return FakeModel(model_id, self.size)


def test_a_model_is_loaded_once():
    shelf = Shelf()
    cache = ModelCache(shelf, max_bytes=10)

    assert cache.get("a") is cache.get("a")
    assert cache.get("b").name == "b"
    assert shelf.loaded == ["a", "b"]


@pytest.fixture
def waiting(monkeypatch):
    """A semaphore that every thread releases when it begins to wait for another one's load."""
    begun = threading.Semaphore(0)

    class Counted(Future):
        def result(self, timeout=None):
            begun.release()
            return super().result(timeout)

    monkeypatch.setattr(serving, "Future", Counted)
    return begun


def asked_by_50_threads(load, waiting):
    """Ask 50 times for a model whose load begins to return when 49 threads wait for it."""

    def slowly(model_id):
        for _ in range(49):
            assert waiting.acquire(timeout=20)
        return load(model_id)

    cache = ModelCache(slowly, max_bytes=10)
    with ThreadPoolExecutor(50) as pool:
        return [pool.submit(cache.get, "a") for _ in range(50)]


def test_a_model_is_loaded_once_however_many_threads_ask(waiting):
    shelf = Shelf()

    asked = asked_by_50_threads(shelf, waiting)

    assert shelf.loaded == ["a"]
    assert len({each.result() for each in asked}) == 1


def test_a_failing_load_reaches_all_that_wait(waiting):
    failure = errors.NotReady("in training")

    def load(_):
        raise failure

    asked = asked_by_50_threads(load, waiting)

    assert [each.exception() for each in asked] == [failure] * 50


def test_a_failing_load_is_not_kept():
    outcomes = [errors.StorageUnavailable(), FakeModel("a")]

    def load(_):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    cache = ModelCache(load, max_bytes=10)
    with pytest.raises(errors.StorageUnavailable):
        cache.get("a")

    assert cache.get("a").name == "a"


def test_while_one_model_loads_another_is_given():
    begun, release = threading.Event(), threading.Event()

    def load(model_id):
        if model_id == "slow":
            begun.set()
            assert release.wait(20)
        return FakeModel(model_id)

    cache = ModelCache(load, max_bytes=10)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.get, "slow")
        assert begun.wait(20)
        assert cache.get("quick").name == "quick"
        assert not slow.done()
        release.set()

    assert slow.result().name == "slow"


def test_models_are_forgotten_by_their_bytes():
    shelf = Shelf(size=4)
    cache = ModelCache(shelf, max_bytes=10)

    for name in ("a", "b", "c", "a"):
        cache.get(name)

    assert shelf.loaded == ["a", "b", "c", "a"]


def test_the_model_used_last_is_forgotten_last():
    shelf = Shelf(size=4)
    cache = ModelCache(shelf, max_bytes=10)

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name)

    assert shelf.loaded == ["a", "b", "c", "b"]


def test_a_model_larger_than_the_cache_serves_and_is_not_kept():
    cache = ModelCache(lambda name: FakeModel(name, len(name)), max_bytes=3)
    small = cache.get("a")

    large = cache.get("large")

    assert large.name == "large"
    assert cache.get("large") is not large
    assert cache.get("a") is small
