import pytest

from app.producer.middleware.body_rules import BodyRule, BodyRules

USUAL, DATA, MODEL = BodyRule(1, 1), BodyRule(2, 1), BodyRule(3, 1)
RULES = BodyRules(USUAL, (("/datasets/", "", DATA), ("/models/", "multipart/form-data", MODEL)))


@pytest.mark.parametrize(
    ("path", "root_path", "media_type", "rule"),
    [
        ("/train", "", "application/json", USUAL),
        ("/datasets/d", "", "text/csv", DATA),
        ("/datasets", "", "text/csv", USUAL),
        ("/w/datasets/d", "/w", "text/csv", DATA),
        ("/w/datasets/d", "", "text/csv", USUAL),
        ("/models/m", "", "multipart/form-data; boundary=x", MODEL),
        ("/models/m", "", "Multipart/Form-Data; boundary=x", MODEL),
        ("/models/m", "", "application/json", USUAL),
    ],
)
def test_the_path_and_the_media_type_decide(path, root_path, media_type, rule):
    headers = [(b"content-type", media_type.encode())]

    assert RULES.of({"path": path, "root_path": root_path, "headers": headers}) is rule
