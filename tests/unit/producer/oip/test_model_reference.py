import pytest

from app import errors
from app.producer.oip.model_reference import model_reference


@pytest.mark.parametrize("name", ["m", "latest", "red~m", "red~latest", "a.b-c_d"])
def test_a_name_is_what_predict_calls_the_model(name):
    assert model_reference(name) == name


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "m" * 200, "ü"])
def test_what_cannot_be_a_name_is_refused(name):
    with pytest.raises(errors.Invalid, match=r"^model_id: "):
        model_reference(name)


@pytest.mark.parametrize("version", ["x y", "", "/", "a:b"])
def test_a_version_that_no_model_can_have_is_not_found(version):
    with pytest.raises(errors.NotFound, match="model m has no version"):
        model_reference("m", version)
