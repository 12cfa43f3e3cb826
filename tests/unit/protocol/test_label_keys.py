import pytest

from app.protocol.label_keys import label_key, label_keys


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("red", "red"),
        ("true", "true"),
        ('say "a"', 'say "a"'),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (-(2**70), str(-(2**70))),
        (1.0, "1.0"),
        (1e300, "1e+300"),
        (None, "null"),
    ],
)
def test_the_key_of_a_label_is_its_text_or_its_json(label, key):
    assert label_key(label) == key


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        ([False, True], ["false", "true"]),
        ([1, 2, "x"], ["1", "2", "x"]),
        ([True, "true", False], ["True", "true", "false"]),
        ([True, "True"], ["true", "True"]),
    ],
)
def test_the_keys_of_a_model_differ(labels, keys):
    assert label_keys(labels) == keys
