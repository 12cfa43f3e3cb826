import pytest

from app import errors
from app.producer.ui.name_forms import (
    promotion_of,
    rollback_of,
    shadow_of,
    split_of,
)


def test_a_promotion_has_what_the_json_route_takes():
    fields = {"alias": "champion", "version": "2", "metric": "rmse", "why": "it is", "seen": "7"}
    form = promotion_of({**fields, "force": "true"})

    assert (form.alias, form.version, form.metric) == ("champion", 2, "rmse")
    assert (form.why, form.seen, form.force) == ("it is", 7, True)
    plain = promotion_of({"alias": "champion", "version": "2", "metric": "", "why": ""})
    assert (plain.why, plain.metric, plain.seen, plain.force) == (None, None, 0, False)


@pytest.mark.parametrize(
    ("read", "fields", "field"),
    [
        (promotion_of, {"version": "1"}, "alias"),
        (promotion_of, {"alias": "a b", "version": "1"}, "alias"),
        (promotion_of, {"alias": "champion"}, "version"),
        (promotion_of, {"alias": "champion", "version": "0"}, "version"),
        (promotion_of, {"alias": "champion", "version": "1.5"}, "version"),
        (promotion_of, {"alias": "champion", "version": "²"}, "version"),
        (promotion_of, {"alias": "champion", "version": "1", "why": "x" * 1001}, "why"),
        (promotion_of, {"alias": "champion", "version": "1", "seen": "-1"}, "seen"),
        (rollback_of, {}, "alias"),
        (split_of, {}, "weights"),
        (split_of, {"weights": "1"}, "weights"),
        (split_of, {"weights": "1=x"}, "weights"),
        (split_of, {"weights": "1=nan"}, "weights"),
        (split_of, {"weights": "1=1 1=2"}, "weights"),
        (split_of, {"weights": "1=1_0"}, "weights"),
        (split_of, {"weights": "1=\N{ARABIC-INDIC DIGIT THREE}"}, "weights"),
        (split_of, {"weights": "1=1e400"}, "weights"),
        (split_of, {"weights": "1=0 2=0"}, "weights"),
        (split_of, {"weights": "1=-1"}, "weights.1"),
        (split_of, {"weights": "one=1"}, "weights"),
        (shadow_of, {"alias": "champion", "version": "1"}, "share"),
        (shadow_of, {"alias": "champion", "version": "1", "share": "2"}, "share"),
        (shadow_of, {"alias": "champion", "version": "1", "share": "nan"}, "share"),
        (shadow_of, {"alias": "champion", "version": "1", "share": "half"}, "share"),
        (shadow_of, {"alias": "champion", "version": "1", "share": "0,5"}, "share"),
        (
            shadow_of,
            {"alias": "champion", "version": "1", "share": "\N{ARABIC-INDIC DIGIT ZERO}.5"},
            "share",
        ),
        (shadow_of, {"version": "1", "share": "1"}, "alias"),
    ],
)
def test_an_error_names_the_field(read, fields, field):
    with pytest.raises(errors.Invalid) as caught:
        read(fields)

    assert caught.value.detail.startswith(field)


def test_the_field_of_a_split_with_a_wrong_version_is_that_version():
    with pytest.raises(errors.Invalid) as caught:
        split_of({"weights": "one=1"})

    assert caught.value.extra["field"] == "weights.one"


def test_a_split_has_a_weight_for_each_version():
    assert split_of({"weights": "1=9, 2=0.5"}).weights == {"1": 9.0, "2": 0.5}
    assert split_of({"weights": "1 = 1e3,2= .5"}).weights == {"1": 1000.0, "2": 0.5}
