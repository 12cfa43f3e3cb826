import unicodedata

import numpy as np
import pytest

from app import errors
from app.models.manifest import Feature
from app.training.training_data import read_training_data
from tests.support import frames


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\n\n\n", "it is empty"),
        (b"a,b,target\n1,2,3\n1,2,3,4\n", "line 3 has 4 fields, and the lines above 3"),
        (
            b"a,b,target\n1,2,3,4\n1,2,3,4\n",
            "its rows have more fields than its header",
        ),
        (b'a,b,target\n1,"2,3\n4,5,6\n', "a quoted field is never closed"),
        ("a,b,target\nä,ö,1\n".encode("latin-1"), "it is not in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "it is not in UTF-8"),
    ],
)
def test_a_broken_csv_is_bad_data(content, said, tmp_path):
    with pytest.raises(errors.BadData) as caught:
        read_training_data(frames.write_csv(tmp_path, content), frames.request(["a", "b"]))

    assert caught.value.message == f"data set data is not readable as CSV: {said}"


def test_a_csv_without_rows_is_bad_data(tmp_path):
    with pytest.raises(errors.BadData, match="column target is empty"):
        read_training_data(frames.write_csv(tmp_path, b"a,b,target\n"), frames.request(["a", "b"]))


def test_a_missing_feature_is_bad_data_that_names_it_and_the_columns_there_are(tmp_path):
    path = frames.write_csv(tmp_path, b"a,b,target\n1,2,3\n")

    with pytest.raises(errors.BadData, match=r"no column x, y; it has a, b, target") as caught:
        read_training_data(path, frames.request(["a", "x", "y"]))

    assert caught.value.extra == {"field": "features", "columns": ["a", "b", "target"]}


def test_a_missing_target_is_bad_data_that_names_it(tmp_path):
    path = frames.write_csv(tmp_path, b"a,b\n1,2\n")

    with pytest.raises(errors.BadData, match=r"no column target; it has a, b") as caught:
        read_training_data(path, frames.request(["a"]))

    assert caught.value.extra["field"] == "target"


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "größe") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("asked", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("values", ["1\n2", "a\n\nNA"])
def test_a_name_is_the_same_in_every_form_of_unicode(written, asked, values, tmp_path):
    rows = [f"{value},{n}" for n, value in enumerate(values.split("\n"))]
    path = frames.write_csv(tmp_path, "\n".join([f"{written},target", *rows]).encode())

    request = frames.request([asked])

    assert request.features == [COMPOSED]
    assert list(read_training_data(path, request).frame.columns) == [COMPOSED]


@pytest.mark.parametrize("field", ["features", "target"])
def test_a_column_that_the_header_has_in_two_forms_is_refused(field, tmp_path):
    path = frames.write_csv(tmp_path, f"a,{COMPOSED},{DECOMPOSED}\n1,2,3\n".encode())
    asked = {"features": {"features": [COMPOSED], "target": "a"}, "target": {"target": COMPOSED}}
    request = frames.request(**{"features": ["a"], **asked[field]})

    with pytest.raises(errors.BadData, match="has two columns größe, written in two forms") as it:
        read_training_data(path, request)

    assert it.value.extra == {"field": field}


def test_a_header_may_have_other_columns_in_two_forms(tmp_path):
    path = frames.write_csv(tmp_path, f"a,{COMPOSED},{DECOMPOSED},target\n1,2,3,4\n".encode())

    assert list(read_training_data(path, frames.request(["a"])).frame.columns) == ["a"]


@pytest.mark.parametrize(
    ("header", "asked", "said"),
    [
        ("BMI,target", "bmi", 'has no column bmi (did you mean "BMI"?); it has BMI, target'),
        (" age,target", "age", 'has no column age (did you mean " age"?); it has " age", target'),
        ("price,target", "bmi", "has no column bmi; it has price, target"),
    ],
)
def test_the_nearest_column_is_named(header, asked, said, tmp_path):
    path = frames.write_csv(tmp_path, f"{header}\n1,2\n".encode())

    with pytest.raises(errors.BadData) as caught:
        read_training_data(path, frames.request([asked]))

    assert said in caught.value.detail


def test_an_error_lists_a_part_of_many_columns(tmp_path):
    header = ",".join([f"column_{n}" for n in range(10_000)])
    path = frames.write_csv(tmp_path, f"{header}\n".encode())

    with pytest.raises(errors.BadData, match=r"and 9,\d{3} more$") as caught:
        read_training_data(path, frames.request(["other"]))

    assert len(caught.value.detail) < 1200


def test_columns_that_nobody_asked_for_are_not_kept(tmp_path):
    path = frames.write_csv(tmp_path, b"a,secret,target\n1,x,3\n2,y,4\n")

    assert list(read_training_data(path, frames.request(["a"])).frame.columns) == ["a"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,target\n1,2\n",
        b"a,target\r\n1,2\r\n",
        b"a,target\n1,2",
        b'"a","target"\n"1","2"\n',
        b"target,a\n2,1\n",
        b"a,target\n\n1,2\n\n",
    ],
)
def test_a_csv_may_look_different_and_hold_the_same(content, tmp_path):
    data = read_training_data(frames.write_csv(tmp_path, content), frames.request(["a"]))

    assert data.frame.to_dict("list") == {"a": [1.0]}
    assert data.target.y.tolist() == [2.0]


TEXTS = ["NA", "None", "null", "NaN", "n/a", "nan", "<NA>", "N/A", "NULL", "?", "-"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_may_look_like_a_missing_value(text):
    rows = "".join(f"{['x', text, ''][i % 3]},{i % 3}\n" for i in range(60))
    data = frames.read(f"a,target\n{rows}", asked := frames.request(["a"], params={"max_depth": 3}))

    manifest, file = frames.train(data, asked)

    assert manifest.features == [Feature(name="a", type="text", nullable=True)]
    served = frames.loaded(file)
    answers = served.predict([{"a": "x"}, {"a": text}, {"a": None}, {"a": ""}])
    assert [round(answer["prediction"]) for answer in answers] == [0, 1, 2, 2]


@pytest.mark.parametrize("text", TEXTS)
def test_a_class_may_look_like_a_missing_value(text):
    rows = "".join(f"{i},{[text, 'Low', 'High', ''][i % 4]}\n" for i in range(80))

    data = frames.read(f"a,target\n{rows}", frames.request(["a"], estimator="knn_classifier"))

    assert data.target.labels == sorted([text, "Low", "High"])
    assert data.dropped == 20
    assert [w.type for w in data.warnings] == ["rows_dropped"]


def test_a_text_that_looks_like_a_missing_value_does_not_allow_null():
    data = frames.column("NA", "x", times=3)

    assert data.features == [Feature(name="a", type="text", nullable=False)]
    assert data.frame["a"].tolist() == ["NA", "x"] * 3


@pytest.mark.parametrize("missing", ["", *TEXTS, " ? ", "unknown", "#DIV/0!"])
def test_among_numbers_and_booleans_and_in_a_numeric_target_it_is_a_missing_value(missing):
    rows = f"1,True,p,1\n{missing},False,q,2\n3,{missing},p,3\n4,True,q,{missing}\n"
    asked = frames.request(["number", "flag", "text"], estimator="ridge")

    data = frames.read(f"number,flag,text,target\n{rows}", asked)

    assert data.frame.isna().to_numpy().tolist() == [
        [False, False, False],
        [True, False, False],
        [False, True, False],
    ]
    assert data.frame["number"].dtype == np.float64
    assert data.frame["flag"].dropna().tolist() == [1.0, 0.0]
    assert [f.type for f in data.features] == ["number", "boolean", "text"]
    assert [f.nullable for f in data.features] == [True, True, False]
    assert data.dropped == 1
    told = [w.field for w in data.warnings if w.type == "missing_markers"]
    assert told == (["target", "number", "flag"] if missing else [])


def test_texts_that_are_read_again_stay_in_their_rows(tmp_path):
    lines = [b"self,target,b", b'"NA",1,"two\nlines"', b"", b"x,2,", b'"1,0",3,null', b",4,1.50"]
    path = frames.write_csv(tmp_path, b"\n".join(lines) + b"\n")

    data = read_training_data(path, frames.request(["b", "self"]))

    assert list(data.frame.columns) == ["b", "self"]
    assert data.frame["self"].fillna("-").tolist() == ["NA", "x", "1,0", "-"]
    assert data.frame["b"].fillna("-").tolist() == ["two\nlines", "-", "null", "1.50"]
    assert data.target.y.tolist() == [1, 2, 3, 4]


def test_a_column_is_text_if_only_its_last_cell_is_and_keeps_all_texts(tmp_path):
    """The file is read in several chunks, and the last one shows that the column is text."""
    cells = [f"0{n % 900}" for n in range(150_000)] + ["x"] * 15_000
    rows = "".join(f"{cell},{n}\n" for n, cell in enumerate(cells))

    data = frames.read(f"a,target\n{rows}", frames.request(["a"]))

    assert data.features == [Feature(name="a", type="text")]
    assert data.frame["a"].tolist() == cells


def test_missing_values_are_counted_over_all_chunks():
    cells = [str(n) for n in range(250_000)]
    cells[7] = cells[120_000] = cells[-1] = "NA"
    cells[8] = ""
    rows = "".join(f"{cell},{n % 5}\n" for n, cell in enumerate(cells))

    data = frames.read(f"a,target\n{rows}", frames.request(["a"]))

    assert data.frame["a"].isna().sum() == 4
    assert data.warnings[0].detail == ('column a: 3 cells hold "NA"; they count as missing values')


@pytest.mark.parametrize("name", ["a", "größe", "b.1", "a b", "1"])
def test_columns_of_any_name_are_read_as_declared(name):
    asked = frames.request([name], types={name: "category"})

    data = frames.read(f"{name},a.1,target\n01,NA,3\n1,2,4\n,3,5\n", asked)

    assert data.frame[name].fillna("-").tolist() == ["01", "1", "-"]


def test_the_rows_without_a_target_are_left_out():
    data = frames.read("a,b,target\n1,x,1\n2,y,\n3,z,3\n", frames.request(["a", "b"]))

    assert data.frame.to_dict("list") == {"a": [1.0, 3.0], "b": ["x", "z"]}
    assert data.target.y.tolist() == [1.0, 3.0]
    assert data.dropped == 1
    assert [w.detail for w in data.warnings if w.type == "rows_dropped"] == [
        "column target has no value in 1 row, which was left out"
    ]


WIDE = b"id,a,b,who,day,w,target\n" + b"".join(
    b"%d,%d,%d,g%d,%d,1,%d\n" % (n, n * n % 7, n % 5, n % 3, n, n % 4) for n in range(12)
)


@pytest.mark.parametrize(
    ("asked", "features"),
    [
        ({}, ["id", "a", "b", "who", "day", "w"]),
        ({"features": {"exclude": ["id", "who"]}}, ["a", "b", "day", "w"]),
        ({"features": {"exclude": ["id", "target"]}}, ["a", "b", "who", "day", "w"]),
        ({"sample_weight": "w"}, ["id", "a", "b", "who", "day"]),
        ({"split": {"group": "who"}}, ["id", "a", "b", "day", "w"]),
        ({"split": {"time": "day"}, "sample_weight": "w"}, ["id", "a", "b", "who"]),
        ({"features": ["b", "a"], "sample_weight": "w"}, ["b", "a"]),
        ({"features": ["day", "a"], "split": {"time": "day"}}, ["day", "a"]),
    ],
)
def test_features_are_all_columns_without_another_purpose_in_the_order_of_the_file(
    asked, features, tmp_path
):
    request = frames.request(**{"features": None, "estimator": "ridge", **asked})

    data = read_training_data(frames.write_csv(tmp_path, WIDE), request)

    assert [each.name for each in data.features] == features
    assert list(data.frame.columns) == features
    assert (data.of_rows.weights is None) == ("sample_weight" not in asked)


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        (
            {"features": {"exclude": ["iD"]}},
            "features.exclude",
            'no column iD (did you mean "id"?)',
        ),
        ({"types": {"A": "number"}}, "types", 'no column A (did you mean "a"?)'),
        ({"sample_weight": "weight"}, "sample_weight", "no column weight"),
        ({"split": {"group": "whom"}}, "split.group", 'no column whom (did you mean "who"?)'),
        ({"split": {"time": "date"}}, "split.time", "no column date"),
        (
            {"features": {"exclude": ["id", "a", "b", "who", "day", "w"]}},
            "features",
            "no column that is left to predict from",
        ),
    ],
)
def test_columns_that_are_not_there_are_told_with_their_field(asked, field, said, tmp_path):
    path = frames.write_csv(tmp_path, WIDE)
    request = frames.request(**{"features": None, "estimator": "ridge", **asked})

    with pytest.raises(errors.BadData) as caught:
        read_training_data(path, request)

    assert caught.value.extra["field"] == field
    assert said in caught.value.detail


def test_more_columns_than_a_model_takes_are_told_to_be_named(tmp_path):
    header = ",".join(["target", *(f"c{n}" for n in range(10_001))])
    path = frames.write_csv(tmp_path, f"{header}\n".encode())

    with pytest.raises(errors.BadData, match="has 10,001 columns to predict from") as caught:
        read_training_data(path, frames.request(None, estimator="ridge"))

    assert caught.value.extra["field"] == "features"
