import random

import pytest

from app import errors
from app.models.manifest import OnnxManifest
from tests.support import frames, graphs
from tests.support.files import MIB, get, keys, put_trained, put_uploaded, stream


def test_a_model_comes_back_as_it_was(models):
    onnx = random.Random(7).randbytes(9 * MIB)

    file = put_trained(models, content=onnx)

    assert get(models, file) == onnx
    assert models.get_manifest(file.key) == frames.manifest(model_id="m")


def test_a_model_lies_in_the_folder_of_its_attempt(models, s3, bucket, settings):
    key, _ = put_trained(models, attempt=3)

    assert key == f"{settings.s3_model_path_name}m/3/"
    assert keys(s3, bucket) == [f"{key}metadata.json", f"{key}model.onnx"]


def test_an_evaluation_lies_beside_the_model_and_goes_with_it(models, s3, bucket, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"onnx")
    (tmp_path / "evaluation.json").write_text('{"task": "regression"}')

    key, _ = models.put_trained(1, frames.manifest(model_id="m"), path)

    assert keys(s3, bucket) == [
        f"{key}{name}" for name in ("evaluation.json", "metadata.json", "model.onnx")
    ]
    assert models.get_evaluation(key) == b'{"task": "regression"}'
    models.delete_attempt("m", 1)
    assert keys(s3, bucket) == []
    with pytest.raises(errors.NotFound):
        models.get_evaluation(key)


def test_the_file_is_named_by_its_runtime(models, s3, bucket):
    file = put_trained(models, content=b"skops", runtime="scikit-learn")

    assert keys(s3, bucket) == [f"{file.key}metadata.json", f"{file.key}model.skops"]
    assert get(models, file, "scikit-learn") == b"skops"
    with pytest.raises(errors.NotFound):
        get(models, file)
    models.delete_attempt("m", 1)
    assert keys(s3, bucket) == []


def test_the_copy_of_a_file_exists_while_it_is_read(models):
    with models.fetched(put_trained(models)) as path:
        assert path.exists()

    assert not path.exists()


def test_an_attempt_overwrites_no_other(models):
    first, second = put_trained(models, 1, b"first"), put_trained(models, 2, b"second")

    assert get(models, first) == b"first"
    assert get(models, second) == b"second"


def test_each_upload_lies_in_a_folder_of_its_own(models, s3, bucket):
    onnx = random.Random(7).randbytes(9 * MIB)

    file = put_uploaded(models, onnx)

    assert get(models, file) == onnx
    assert keys(s3, bucket) == [f"{file.key}metadata.json", f"{file.key}model.onnx"]
    assert file.key.startswith("models/m/")
    again = put_uploaded(models, onnx)
    assert again.key != file.key
    models.delete(again.key)
    assert get(models, file) == onnx
    with pytest.raises(errors.NotFound):
        get(models, again)


def test_an_upload_that_fails_leaves_nothing(models, s3, bucket):
    spec = OnnxManifest.model_validate(graphs.LINEAR)
    with pytest.raises(errors.Invalid):
        models.put_uploaded("m", spec, stream(20 * MIB, fails_after=10 * MIB), "a" * 64)

    assert keys(s3, bucket) == []


def test_a_model_that_was_changed_is_corrupt(models, s3, bucket):
    file = put_trained(models)
    s3.put_object(Bucket=bucket, Key=f"{file.key}model.onnx", Body=b"onnX")

    with pytest.raises(errors.Corrupt, match=r"model\.onnx is not the file"):
        get(models, file)


def test_a_model_that_was_deleted_is_not_found(models, s3, bucket):
    file = put_trained(models)
    for name in ("model.onnx", "metadata.json"):
        s3.delete_object(Bucket=bucket, Key=file.key + name)

    with pytest.raises(errors.NotFound):
        get(models, file)
    with pytest.raises(errors.NotFound):
        models.get_manifest(file.key)


def test_what_an_attempt_has_stored_is_removed_and_that_of_the_others_is_not(models, s3, bucket):
    first, tenth = put_trained(models, 1, b"first"), put_trained(models, 10, b"tenth")
    put_trained(models, 2)

    models.delete_attempt("m", 2)

    assert get(models, first) == b"first"
    assert get(models, tenth) == b"tenth"
    assert len(keys(s3, bucket)) == 4

    models.delete_attempt("m", 1)

    assert get(models, tenth) == b"tenth"
    assert len(keys(s3, bucket)) == 2


def test_nothing_is_removed_where_nothing_is(models, s3, bucket):
    models.delete_attempt("m", 1)
    put_trained(models)

    models.delete_attempt("m", 2)
    models.delete_attempt("n", 1)
    assert len(keys(s3, bucket)) == 2

    models.delete_attempt("m", 1)
    models.delete_attempt("m", 1)
    assert keys(s3, bucket) == []


@pytest.mark.parametrize("name", ["model.onnx", "metadata.json"])
def test_what_an_attempt_has_stored_by_half_is_removed(models, s3, bucket, name):
    file = put_trained(models)
    s3.delete_object(Bucket=bucket, Key=file.key + name)

    models.delete_attempt("m", 1)

    assert keys(s3, bucket) == []


def test_a_manifest_that_was_broken_is_corrupt(models, s3, bucket):
    file = put_trained(models)
    s3.put_object(Bucket=bucket, Key=f"{file.key}metadata.json", Body=b"{")

    with pytest.raises(errors.Corrupt):
        models.get_manifest(file.key)
