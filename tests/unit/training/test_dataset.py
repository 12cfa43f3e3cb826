import unicodedata

import numpy as np
import pytest

from app import errors
from app.models.manifest import Feature
from app.training import pipeline
from app.training.dataset import read_dataset
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
        ("a,b,target\n1,2,3\n".encode("utf-16"), "it is not in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "it is not in UTF-8"),
    ],
)
def test_a_broken_csv_is_bad_data(content, said, tmp_path):
    with pytest.raises(errors.BadData) as caught:
        read_dataset(frames.write_csv(tmp_path, content), frames.request(["a", "b"]))

    assert caught.value.message == f"data set data is not readable as CSV: {said}"


def test_a_csv_without_rows_is_bad_data(tmp_path):
    asked = frames.request(["a", "b"], estimator="ridge")

    with pytest.raises(errors.BadData, match="is empty"):
        pipeline.fit_pipeline(
            read_dataset(frames.write_csv(tmp_path, b"a,b,target\n"), asked), asked, "m"
        )


def test_a_missing_feature_is_bad_data_that_names_it_and_the_columns_there_are(tmp_path):
    path = frames.write_csv(tmp_path, b"a,b,target\n1,2,3\n")

    with pytest.raises(errors.BadData, match=r"no column x, y; it has a, b, target") as caught:
        read_dataset(path, frames.request(["a", "x", "y"]))

    assert caught.value.extra == {"field": "features", "columns": ["a", "b", "target"]}


def test_a_missing_target_is_bad_data_that_names_it(tmp_path):
    path = frames.write_csv(tmp_path, b"a,b\n1,2\n")

    with pytest.raises(errors.BadData, match=r"no column target; it has a, b") as caught:
        read_dataset(path, frames.request(["a"]))

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
    assert list(read_dataset(path, request).columns) == [COMPOSED, "target"]


@pytest.mark.parametrize("field", ["features", "target"])
def test_a_column_that_the_header_has_in_two_forms_is_refused(field, tmp_path):
    path = frames.write_csv(tmp_path, f"a,{COMPOSED},{DECOMPOSED}\n1,2,3\n".encode())
    asked = {"features": {"features": [COMPOSED], "target": "a"}, "target": {"target": COMPOSED}}
    request = frames.request(**{"features": ["a"], **asked[field]})

    with pytest.raises(errors.BadData, match="has two columns größe, written in two forms") as it:
        read_dataset(path, request)

    assert it.value.extra == {"field": field}


def test_a_header_may_have_other_columns_in_two_forms(tmp_path):
    path = frames.write_csv(tmp_path, f"a,{COMPOSED},{DECOMPOSED},target\n1,2,3,4\n".encode())

    assert list(read_dataset(path, frames.request(["a"])).columns) == ["a", "target"]


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
        read_dataset(path, frames.request([asked]))

    assert said in caught.value.detail


def test_an_error_lists_a_part_of_many_columns(tmp_path):
    header = ",".join([f"column_{n}" for n in range(10_000)])
    path = frames.write_csv(tmp_path, f"{header}\n".encode())

    with pytest.raises(errors.BadData, match=r"and 9,\d{3} more$") as caught:
        read_dataset(path, frames.request(["other"]))

    assert len(caught.value.detail) < 1200


def test_columns_that_nobody_asked_for_are_not_kept(tmp_path):
    path = frames.write_csv(tmp_path, b"a,secret,target\n1,x,3\n2,y,4\n")

    assert list(read_dataset(path, frames.request(["a"])).columns) == ["a", "target"]


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
    frame = read_dataset(frames.write_csv(tmp_path, content), frames.request(["a"]))

    assert frame.to_dict("records") == [{"a": 1, "target": 2}]


TEXTS = ["NA", "None", "null", "NaN", "n/a", "nan", "<NA>", "N/A", "NULL"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_may_look_like_a_missing_value(text, tmp_path):
    rows = "".join(f"{['x', text, ''][i % 3]},{i % 3}\n" for i in range(60))
    path = frames.write_csv(tmp_path, f"a,target\n{rows}".encode())
    asked = frames.request(["a"], params={"n_estimators": 30})

    fitted = pipeline.fit_pipeline(read_dataset(path, asked), asked, "m")

    assert fitted.manifest.features == [Feature(name="a", type="text", nullable=True)]
    served = frames.loaded(fitted.encode(0.0)[0])
    answers = served.predict([{"a": "x"}, {"a": text}, {"a": None}, {"a": ""}])
    assert [round(answer["prediction"]) for answer in answers] == [0, 1, 2, 2]


def test_a_text_that_looks_like_a_missing_value_does_not_allow_null(tmp_path):
    path = frames.write_csv(tmp_path, b"a,b,target\nNA,1,1\nx,2,2\nNA,3,3\nx,4,4\nx,5,5\n")
    asked = frames.request(["b", "a"], estimator="ridge")

    manifest = pipeline.fit_pipeline(read_dataset(path, asked), asked, "m").manifest

    assert manifest.features[1] == Feature(name="a", type="text", nullable=False)


@pytest.mark.parametrize("missing", ["", *TEXTS])
def test_among_numbers_and_booleans_and_in_the_target_it_is_a_missing_value(missing, tmp_path):
    rows = f"1,True,x,p\n{missing},False,y,q\n3,{missing},z,p\n4,True,x,{missing}\n"
    path = frames.write_csv(tmp_path, f"number,flag,text,target\n{rows}".encode())

    frame = read_dataset(path, frames.request(["number", "flag", "text"]))

    assert frame.isna().to_numpy().tolist() == [
        [False, False, False, False],
        [True, False, False, False],
        [False, True, False, False],
        [False, False, False, True],
    ]
    assert frame["number"].dtype == np.float64
    assert frame["flag"].dropna().tolist() == [True, False, True]


def test_texts_that_are_read_again_stay_in_their_rows(tmp_path):
    lines = [b"self,target,b", b'"NA",1,"two\nlines"', b"", b"x,2,", b'"1,0",3,null', b",4,1.50"]
    path = frames.write_csv(tmp_path, b"\n".join(lines) + b"\n")

    frame = read_dataset(path, frames.request(["b", "self"]))

    assert list(frame.columns) == ["b", "self", "target"]
    assert frame["self"].fillna("-").tolist() == ["NA", "x", "1,0", "-"]
    assert frame["b"].fillna("-").tolist() == ["two\nlines", "-", "null", "1.50"]
    assert frame["target"].tolist() == [1, 2, 3, 4]
