from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from app import errors
from app.inference.loader import ModelLoader
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
