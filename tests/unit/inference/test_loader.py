import pytest

from app import errors
from app.inference.loader import load_model
from app.inference.uploaded_model import UploadedModel
from app.models import latest as latest_module
from app.models.latest import latest_resolver
from app.protocol.requests import PredictionInputs
from app.protocol.types import LATEST
from tests.support import frames, graphs, pictures

PIXELS = 1000


class FakeJob:
    kind = "train"
    result_key = "models/m/1/"
    result_sha256 = "abc"

    def __init__(self, model_id):
        self.id = model_id


class FakeJobs:
    def __init__(self):
        self.asked = []
        self.newest = "m1"

    def __call__(self, model_id, dataset_id=None):
        self.asked.append((model_id, dataset_id))
        if model_id == "queued":
            raise errors.NotReady(None, "in training")
        return FakeJob(self.newest if model_id == LATEST else model_id)


class FakeStorage:
    def get_model(self, key, sha256):
        assert (key, sha256) == ("models/m/1/", "abc")
        return frames.file("numeric", "ridge")


def test_a_model_is_loaded_by_the_key_and_the_sum_of_its_row():
    model = load_model("m", FakeJobs(), FakeStorage(), PIXELS)

    assert model.manifest.model_id == "numeric-ridge"


class Uploaded(FakeJob):
    kind = "onnx"
    request = graphs.IMAGES


class Images:
    def get_model(self, key, sha256):
        assert (key, sha256) == ("models/m/1/", "abc")
        return graphs.colours()


def test_an_uploaded_model_is_loaded_by_its_manifest_and_the_limit_of_pixels():
    model = load_model("m", lambda model_id, _: Uploaded(model_id), Images(), PIXELS)

    assert isinstance(model, UploadedModel)
    assert model.model_id == "m"
    (image,) = model.prepare(PredictionInputs(image_data=pictures.image(pictures.GREEN)))
    assert model.predict([image])[0]["prediction"] == "green"
    with pytest.raises(errors.TooLarge, match="more than 1,000"):
        model.prepare(PredictionInputs(image_data=pictures.image(size=(1001, 1))))


def test_a_model_without_a_result_is_not_looked_for_in_storage():
    with pytest.raises(errors.NotReady):
        load_model("queued", FakeJobs(), None, PIXELS)


def test_the_latest_of_each_data_set_is_asked_for_once_for_a_while():
    jobs = FakeJobs()
    latest = latest_resolver(jobs)

    assert [latest(None), latest("d"), latest(None), latest("d")] == ["m1"] * 4
    assert jobs.asked == [(LATEST, None), (LATEST, "d")]


def test_the_latest_is_asked_for_again_after_a_while(monkeypatch):
    monkeypatch.setattr(latest_module, "LATEST_SECONDS", 0)
    jobs = FakeJobs()
    latest = latest_resolver(jobs)
    latest(None)
    jobs.newest = "m2"

    assert latest(None) == "m2"


def test_that_there_is_no_latest_is_not_remembered():
    class Empty(FakeJobs):
        def __call__(self, model_id, dataset_id=None):
            if not self.asked:
                self.asked.append(dataset_id)
                raise errors.NotFound
            return FakeJob("m1")

    latest = latest_resolver(Empty())
    with pytest.raises(errors.NotFound):
        latest(None)

    assert latest(None) == "m1"


def test_a_database_that_is_away_is_not_asked_again_for_a_while():
    class Away(FakeJobs):
        def __call__(self, model_id, dataset_id=None):
            super().__call__(model_id, dataset_id)
            raise errors.DatabaseUnavailable("gone")

    jobs = Away()
    latest = latest_resolver(jobs)

    for _ in range(3):
        with pytest.raises(errors.DatabaseUnavailable, match="gone"):
            latest("d")
    assert jobs.asked == [(LATEST, "d")]


def test_a_data_set_without_a_model_is_looked_at_again():
    class Empty(FakeJobs):
        def __call__(self, model_id, dataset_id=None):
            super().__call__(model_id, dataset_id)
            raise errors.NotFound(None, "none yet")

    jobs = Empty()
    latest = latest_resolver(jobs)

    for _ in range(2):
        with pytest.raises(errors.NotFound):
            latest("d")
    assert len(jobs.asked) == 2
