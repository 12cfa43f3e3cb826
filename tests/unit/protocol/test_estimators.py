import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from app.protocol.estimators import ESTIMATORS, EstimatorName


class Named(BaseModel):
    model_config = ConfigDict(strict=True)

    estimator: EstimatorName


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_name_of_the_table_is_accepted(name):
    assert Named.model_validate({"estimator": name}).estimator == name


@pytest.mark.parametrize("name", ["Ridge", "ridge ", "", None, 1, True, ["ridge"], {"ridge": 1}])
def test_no_other_name_is_accepted(name):
    with pytest.raises(ValidationError):
        Named.model_validate({"estimator": name})


def test_an_unknown_name_is_answered_with_all_names():
    with pytest.raises(ValidationError) as caught:
        Named.model_validate({"estimator": "neural_network"})

    (error,) = caught.value.errors()
    assert all(name in error["msg"] for name in ESTIMATORS)


def test_the_schema_lists_the_names_in_order_of_the_table():
    schema = Named.model_json_schema()["properties"]["estimator"]

    assert schema == {"title": "Estimator", "type": "string", "enum": list(ESTIMATORS)}
