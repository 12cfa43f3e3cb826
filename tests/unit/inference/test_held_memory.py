import numpy as np
import pytest

from app.inference.held_memory import (
    LARGE,
    SESSION_BYTES,
    estimate_held,
    give_back_memory,
    measure_load,
)

MB = 1_000_000


@pytest.mark.parametrize("held", [20, 60])
def test_what_a_load_holds_is_measured_without_what_it_freed(held):
    def load():
        passing = [bytes(1000) for _ in range(50_000)]
        kept = np.ones(held * MB, np.uint8)
        del passing
        return kept

    loaded, measured = measure_load(load, LARGE)

    assert len(loaded) == held * MB
    assert measured == pytest.approx(held * MB, abs=5 * MB)


def test_a_small_model_does_not_pay_for_what_all_models_share():
    shared = []

    def load():
        if not shared:
            shared.append(np.ones(50 * MB, np.uint8))
        return "loaded"

    loaded, measured = measure_load(load, 1000)

    assert loaded == "loaded"
    assert 1000 <= measured < 10 * MB


def test_trees_hold_more_than_their_file(tmp_path):
    plain, trees = b"x" * 1000, b"x" * 500 + b"TreeEnsembleRegressor" + b"x" * 479
    path = tmp_path / "model.onnx"
    path.write_bytes(trees)

    assert estimate_held(plain) == SESSION_BYTES + 1000
    assert estimate_held(trees) == estimate_held(path) == SESSION_BYTES + 6000


def test_memory_can_be_given_back_at_any_time():
    give_back_memory()
    give_back_memory()
