import gc
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from app import errors
from app.inference.loader import ModelLoader
from app.inference.memory_budget import MemoryBudget
from app.inference.quarantine import STOPS, Quarantine
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from app.models.record import StoredFile, TrainedSpec
from app.protocol.requests import PredictionInputs
from tests.support import frames, graphs, pictures
from tests.support.rows import ENDPOINT, model_record

PIXELS = 1000
FILE = StoredFile("models/m/1/", "abc")


class Files:
    """One file in S3."""

    def __init__(self, content):
        self.content = content

    @contextmanager
    def fetched(self, file, runtime):
        assert (file, runtime) == (FILE, "onnx")
        with NamedTemporaryFile() as copy:
            copy.write(self.content)
            copy.flush()
            yield Path(copy.name)


def test_a_model_is_loaded_by_the_key_and_the_sum_of_its_record():
    record = model_record("m", TrainedSpec(), FILE)

    model = ModelLoader(lambda _: record, Files(frames.file("numeric", "ridge")), PIXELS)("m")

    assert model.manifest.model_id == "numeric-ridge"


def test_an_uploaded_model_is_loaded_by_its_manifest_and_the_limit_of_pixels():
    record = model_record("m", OnnxManifest.model_validate(graphs.IMAGES), FILE)

    model = ModelLoader(lambda _: record, Files(graphs.colours()), PIXELS)("m")

    assert isinstance(model, UploadedModel)
    assert model.model_id == "m"
    (image,) = model.prepare(PredictionInputs(image_data=pictures.image(pictures.GREEN)))
    assert model.predict([image])[0]["prediction"] == "green"
    with pytest.raises(errors.TooLarge, match="more than 1,000"):
        model.prepare(PredictionInputs(image_data=pictures.image(size=(1001, 1))))


def test_an_endpoint_is_not_looked_for_in_storage():
    with pytest.raises(errors.WrongQueue, match=r"answers by queue\.model\.invoke"):
        ModelLoader(lambda _: model_record("far", ENDPOINT), Files(b""), PIXELS)("far")


def test_a_model_that_is_not_ready_is_not_looked_for_in_storage():
    def find(model_id):
        raise errors.NotReady(None, "in training")

    with pytest.raises(errors.NotReady):
        ModelLoader(find, None, PIXELS)("queued")


TRAINED = model_record("m", TrainedSpec(), FILE)
ROW = {"a": 0.5, "b": 1, "c": -2.0}


def loader(content, record=TRAINED, **parts):
    return ModelLoader(lambda _: record, Files(content), PIXELS, **parts)


def answer(model, row=ROW):
    return model.predict(model.prepare(PredictionInputs(input_data=row)))


@pytest.mark.parametrize("estimator", ["random_forest_regressor", "logistic_regression"])
def test_a_trained_model_answers_the_same_in_a_process_of_its_own(estimator):
    load = loader(frames.file("numeric", estimator))

    shared, alone = load("m"), load("m", isolated=True)

    assert (shared.isolated, alone.isolated) == (False, True)
    assert answer(alone) == answer(shared)
    assert alone.manifest == shared.manifest


def test_a_trained_model_that_was_stopped_before_is_loaded_into_a_process():
    quarantine = Quarantine()
    load = loader(frames.file("numeric", "ridge"), quarantine=quarantine)
    expected = answer(load("m"))

    quarantine.count("m", errors.DeadlineExceeded())

    assert load("m").isolated
    assert answer(load("m")) == expected


def test_a_model_that_keeps_ending_its_process_is_not_loaded_any_more():
    record = model_record("m", OnnxManifest.model_validate(graphs.LINEAR), FILE)
    loads = []

    class Counting(Files):
        def fetched(self, *arguments):
            loads.append(arguments)
            return super().fetched(*arguments)

    load = ModelLoader(lambda _: record, Counting(b"garbage"), PIXELS, quarantine := Quarantine())
    with pytest.raises(errors.Corrupt):
        load("m")
    for _ in range(STOPS):
        quarantine.count("m", errors.ModelLost("the process of the model died"))

    with pytest.raises(errors.ModelQuarantined, match="the process of the model died"):
        load("m")
    assert len(loads) == 1


def test_a_load_waits_for_the_memory_of_others():
    budget = MemoryBudget(wait_seconds=0.0)
    load = loader(frames.file("numeric", "ridge"), budget=budget)

    with budget.reserved(budget.most), pytest.raises(errors.Overloaded):
        load("m")
    assert answer(load("m"))


def test_a_loaded_model_takes_its_memory_until_it_is_deleted():
    budget = MemoryBudget()
    model = loader(frames.file("numeric", "ridge"), budget=budget)("m", isolated=True)
    assert budget.taken == model.bytes

    del model
    gc.collect()

    assert budget.taken == 0


def test_a_trained_model_that_is_too_large_to_load_beside_others_gets_a_process(monkeypatch):
    monkeypatch.setattr("app.inference.loader.COPIES", 10**9)  # of a file as small as this one
    load = loader(frames.file("numeric", "ridge"), budget=MemoryBudget())

    assert load("m").isolated
