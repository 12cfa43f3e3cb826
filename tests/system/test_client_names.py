"""Models with names by the Python client: versions, aliases, promotion, roll back, export."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.frames import diabetes
from tests.system.conftest import Running
from warren_client import Model, Warren, errors

WAIT = 60.0


@pytest.fixture(scope="module")
def warren(running: Running) -> Iterator[Warren]:
    authority = running.stack.environment["RABBITMQ_CA_FILE"] or None
    with Warren(str(running.http.base_url), ca_file=authority) as made:
        yield made


@pytest.fixture(scope="module")
def versions(warren: Warren) -> list[Model]:
    """Two versions of one name, the second one of more trees."""
    return [
        warren.train(diabetes(), "target", "sugar", params={"n_estimators": trees}).wait(WAIT).model
        for trees in (5, 50)
    ]


def test_an_alias_is_promoted_and_rolled_back(warren: Warren, versions: list[Model]) -> None:
    first, second = versions
    assert [(each.name, each.version) for each in versions] == [("sugar", 1), ("sugar", 2)]

    first.promote("champion", why="first")
    assert first.record.aliases == ["champion"]
    second.promote("champion", why="better", metric="rmse", force=True)
    assert warren.models["sugar@champion"].id == second.id
    assert warren.models.rollback("sugar", "champion", "nonsense")["version"] == 1
    assert warren.models["sugar@champion"].id == first.id

    history = warren.models.history("sugar", "champion")
    assert [(each["to_version"], each["why"]) for each in history] == [
        (1, "nonsense"),
        (2, "better"),
        (1, "first"),
    ]
    with pytest.raises(errors.Conflict, match="sugar@champion points to"):
        first.delete()


def test_references_name_versions(warren: Warren, versions: list[Model]) -> None:
    first, second = versions
    assert (warren.models["sugar:1"].id, warren.models["sugar"].id) == (first.id, second.id)
    listed = warren.models.versions("sugar")
    assert [each["model_id"] for each in listed] == [second.id, first.id]
    compared = warren.models.compare(["sugar:1", "sugar:2"])
    assert compared["version"].tolist() == [1, 2]
    with pytest.raises(errors.NotFound, match='did you mean "sugar"'):
        warren.models["sugr@champion"]


def test_an_upload_has_a_name_and_an_export_a_file(
    warren: Warren, versions: list[Model], tmp_path: Path
) -> None:
    file = tmp_path / "sums.onnx"
    file.write_bytes(tiny.sums())
    uploaded = warren.models.upload(file, tiny.ROWS, "sums")
    assert (uploaded.name, uploaded.version) == ("sums", 1)
    assert uploaded.predict({"a": 1, "b": 2}) == 3

    assert versions[0].export("mlflow", tmp_path / "m.zip").read_bytes()[:2] == b"PK"
    onnx = versions[0].export("onnx", tmp_path / "m.onnx").read_bytes()
    assert onnx == versions[0].export("file", tmp_path / "n.onnx").read_bytes()
