"""Models that were not trained here: uploaded as ONNX, or only described."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from devstack.demo import ROW
from devstack.s3 import S3Server
from tests.support import graphs, harmful_graphs, pictures
from tests.support.graphs import COLOURS, IMAGES, LINEAR
from tests.support.pictures import BLUE, GREEN, RED
from tests.system.conftest import Running
from tests.system.support.client import PREDICTION, is_problem
from tests.system.support.processes import Stack
from tests.system.support.thinking import remote

SETTINGS = {
    "INVOKE_HOSTS": "models.example:80,127.0.0.1",
    "MAX_MODEL": "30000000",
    "MAX_PIXELS": "1000000",
}
ENDPOINT = {"url": "http://models.example/predict", "sample": {"a": 1, "b": "x", "c": [True]}}


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    for model_id, file, manifest in [
        ("linear", graphs.linear(), LINEAR),
        ("colours", graphs.colours(), IMAGES),
    ]:
        answer = put(running.http, model_id, file, manifest)
        assert answer.status_code == 201, answer.text
    return running.http


def put(http: httpx2.Client, model_id: str, file: bytes, manifest: Any) -> httpx2.Response:
    files = {"model": ("model.onnx", file)}
    return http.put(f"/models/{model_id}", data={"manifest": json.dumps(manifest)}, files=files)


def ask(http: httpx2.Client, model_id: str, **inputs: Any) -> httpx2.Response:
    return http.post("/predict", json={"model_id": model_id, **inputs})


def answered(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    message = dict(answer.json()["message"])
    assert message.pop("status") == "TASK_COMPLETED"
    return message


def test_rows_are_answered_one_and_many(http: httpx2.Client) -> None:
    one = answered(ask(http, "linear", input_data={"a": 1, "b": 2}))
    assert one == {"model_id": "linear", "prediction": 9.0, "pred_proba": 9.0}
    many = answered(ask(http, "linear", input_data=[{"a": n, "b": 0} for n in range(100)]))
    assert many["prediction"] == many["pred_proba"] == [2.0 * n + 1 for n in range(100)]


def test_images_are_answered_one_and_many(http: httpx2.Client) -> None:
    one = answered(ask(http, "colours", image_data=pictures.image(GREEN, kind="JPEG")))
    assert one["prediction"] == "green"
    assert list(one["pred_proba"]) == COLOURS
    files = [pictures.image(each) for each in (RED, GREEN, BLUE, RED)] * 16
    many = answered(ask(http, "colours", image_data=files))
    assert many["prediction"] == ["red", "green", "blue", "red"] * 16
    assert is_problem(ask(http, "colours", image_data=files[:1] * 65), 413)["field"] == "image_data"


def test_many_may_ask_at_once_and_get_their_own_answers(http: httpx2.Client) -> None:
    def asked(n: int) -> Any:
        if n % 2:
            colour = [RED, GREEN, BLUE][n % 3]
            return answered(ask(http, "colours", image_data=pictures.image(colour)))["prediction"]
        return answered(ask(http, "linear", input_data={"a": n, "b": 0}))["prediction"]

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(asked, range(200)))
    assert answers == [COLOURS[n % 3] if n % 2 else 2.0 * n + 1 for n in range(200)]


BAD_IMAGES = {
    "a bomb": (pictures.bomb(), 413, "30000 x 30000"),
    "over the limit": (pictures.image(size=(1001, 1000)), 413, "1,000,000"),
    "cut": (pictures.image(size=(99, 99))[:100], 422, "broken"),
    "a GIF": (pictures.image(kind="GIF"), 422, "none of JPEG, PNG, WEBP"),
    "animated": (pictures.animated(), 422, "animated"),
    "no base64": ("red!", 422, "not base64"),
    "no image": (pictures.encode(b"red"), 422, "none of JPEG, PNG, WEBP"),
    "CMYK": (pictures.image(0, mode="CMYK", kind="JPEG"), 422, "CMYK"),
    "texts": (pictures.texts(), 422, "broken"),
}


@pytest.mark.parametrize(("image", "status", "says"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_a_bad_image_is_refused_by_its_place(
    http: httpx2.Client, running: Running, image: str, status: int, says: str
) -> None:
    problem = is_problem(ask(http, "colours", image_data=[pictures.image(), image]), status)
    assert problem["field"] == "image_data.1"
    assert says in problem["detail"]
    assert is_problem(ask(http, "colours", image_data=image), status)["field"] == "image_data"
    assert "Traceback" not in running.stack.output()


@pytest.mark.parametrize(
    ("model_id", "inputs", "field"),
    [
        ("colours", {"input_data": {"a": 1}}, "input_data"),
        ("linear", {"image_data": pictures.image()}, "image_data"),
        ("linear", {"input_data": {"a": 1}}, "input_data.b"),
        ("linear", {"input_data": {"a": 1, "b": 1, "c": 1}}, "input_data.c"),
        ("linear", {"input_data": {"a": 1, "b": None}}, "input_data.b"),
        ("linear", {"input_data": {"a": 3e38, "b": 3e38}}, "input_data"),
        ("linear", {}, "input_data"),
    ],
)
def test_what_does_not_fit_a_model_is_refused_by_its_field(
    http: httpx2.Client, model_id: str, inputs: dict[str, Any], field: str
) -> None:
    assert is_problem(ask(http, model_id, **inputs), 422)["field"] == field


def test_the_same_again_is_known_and_another_is_a_conflict(
    http: httpx2.Client, running: Running
) -> None:
    again = put(http, "linear", graphs.linear(), LINEAR)
    assert (again.status_code, again.json()) == (200, {"model_id": "linear", "kind": "onnx"})
    assert again.headers["location"] == "/models/linear"
    files = stored(running.stack, "linear")
    for file, manifest in [
        (graphs.linear(), {**LINEAR, "sample": {"a": 1, "b": 1}}),
        (graphs.linear(graphs.DOUBLE), LINEAR),
        (b"garbage", LINEAR),
    ]:
        problem = is_problem(put(http, "linear", file, manifest), 409)
        assert (problem["type"], problem["field"]) == ("conflict", "model_id")
    assert is_problem(http.put("/models/linear", json=ENDPOINT), 409)["type"] == "conflict"
    assert stored(running.stack, "linear") == files
    assert answered(ask(http, "linear", input_data={"a": 1, "b": 2}))["prediction"] == 9.0


def stored(stack: Stack, model_id: str) -> set[str]:
    folder = f"{stack.environment['S3_MODEL_PATH_NAME']}{model_id}/"
    return {each.key for each in stack.bucket.objects.filter(Prefix=folder)}


def test_of_two_at_once_one_wins_and_the_other_leaves_nothing(
    http: httpx2.Client, running: Running
) -> None:
    specs = [{**LINEAR, "sample": {"a": n, "b": 0}} for n in (1, 2)] * 2
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda each: put(http, "race", graphs.linear(), each), specs))
    codes = [each.status_code for each in answers]
    winner = codes.index(201)
    assert sorted(codes) == [200, 201, 409, 409]
    assert codes[(winner + 2) % 4] == 200
    assert http.get("/models/race").json()["sample"] == specs[winner]["sample"]
    assert len(stored(running.stack, "race")) == 2
    assert answered(ask(http, "race", input_data={"a": 1, "b": 2}))["prediction"] == 9.0


BAD_MODELS = {
    "garbage": (b"garbage", LINEAR, "model", "not an ONNX file"),
    "empty": (b"", LINEAR, "model", "the file is empty"),
    "cut": (graphs.linear()[:-30], LINEAR, "model", "not an ONNX file"),
    "external": (harmful_graphs.external("attribute"), LINEAR, "model", "in other files"),
    "memory": (harmful_graphs.memory_bomb(30_000), LINEAR, "model", "memory"),
    "endless": (harmful_graphs.endless(), LINEAR, "model", "longer than 15 s"),
    "another manifest": (graphs.linear(), IMAGES, "manifest.inputs.0.name", "it has x"),
    "too few labels": (
        graphs.colours(),
        {**IMAGES, "labels": ["red", "green"]},
        "manifest.labels",
        "there are 2",
    ),
    "no inputs": (graphs.linear(), {**LINEAR, "inputs": []}, "manifest.inputs", ""),
    "no name": (
        graphs.linear(),
        {**LINEAR, "inputs": [{"name": 1, "features": ["a"]}]},
        "manifest.inputs.0.name",
        "",
    ),
    "a key too many": (graphs.linear(), {**LINEAR, "colour": 1}, "manifest.colour", ""),
    "an odd sample": (graphs.linear(), {**LINEAR, "sample": {"a": 1}}, "manifest", "sample"),
    "a label twice": (graphs.colours(), {**IMAGES, "labels": ["1", 1, "a"]}, "manifest", "labels"),
    "no object": (graphs.linear(), [LINEAR], "manifest", ""),
}


@pytest.mark.parametrize(("file", "manifest", "field", "says"), BAD_MODELS.values(), ids=BAD_MODELS)
def test_what_cannot_serve_is_refused_with_the_reason(
    http: httpx2.Client, running: Running, file: bytes, manifest: Any, field: str, says: str
) -> None:
    problem = is_problem(put(http, "bad", file, manifest), 422)
    assert problem["field"] == field
    assert says in problem["detail"]
    assert is_problem(http.get("/models/bad"), 404)
    assert stored(running.stack, "bad") == set()
    assert "Traceback" not in running.stack.output()


FORM = "multipart/form-data; boundary=b"
PART = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n'
MODEL = PART.format("model", '; filename="m"').encode() + graphs.linear()
MANIFEST = PART.format("manifest", "").encode() + json.dumps(LINEAR).encode()
OTHER = PART.format("other", "").encode() + b"x"
TEXT = PART.format("model", "").encode() + b"x"


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


def manifest(written: bytes, more: str = "") -> bytes:
    return PART.format("manifest", more).encode() + written


@pytest.mark.parametrize("kind", ["", "application/x-www-form-urlencoded"])
def test_a_file_without_a_manifest_is_told_how_both_are_sent(
    http: httpx2.Client, kind: str
) -> None:
    """As curl sends it with -T, and with --data-binary."""
    headers = {"Content-Type": kind} if kind else {}
    answer = http.put("/models/odd", content=graphs.linear(), headers=headers)
    said = "curl -X PUT -F manifest=@manifest.json -F model=@model.onnx"
    assert said in is_problem(answer, 415)["detail"]
    assert said in is_problem(http.put("/models/odd", files={"model": b"x"}), 422)["detail"]


BAD_FORMS = {
    "no manifest": (form(MODEL), FORM, "body"),
    "no model": (form(MANIFEST), FORM, "body"),
    "nothing": (form(), FORM, "body"),
    "no body": (b"", FORM, "body"),
    "twice": (form(MODEL, MANIFEST, MODEL), FORM, "body"),
    "two manifests": (form(MODEL, MANIFEST, MANIFEST), FORM, "body"),
    "another": (form(MODEL, MANIFEST, OTHER), FORM, "body"),
    "a thousand": (form(*[OTHER] * 1000), FORM, "body"),
    "no file": (form(MANIFEST, TEXT), FORM, "model"),
    "not closed": (form(MODEL, MANIFEST, end=b""), FORM, "body"),
    "cut": (form(MODEL, MANIFEST)[:99], FORM, "body"),
    "another boundary": (form(MODEL, MANIFEST), "multipart/form-data; boundary=c", "body"),
    "no boundary": (form(MODEL, MANIFEST), "multipart/form-data", "body"),
    "an empty boundary": (form(MODEL, MANIFEST), "multipart/form-data; boundary=", "body"),
    "a huge boundary": (form(MODEL), f"multipart/form-data; boundary={'b' * 999}", "body"),
    "an odd boundary": (form(MODEL), 'multipart/form-data; boundary="\xe9"', "body"),
    "no name": (form(b"Content-Disposition: form-data\r\n\r\nx"), FORM, "body"),
    "no header": (form(b"\r\nx"), FORM, "body"),
    "broken header": (form(b"\x00\xff: \r\n\r\nx"), FORM, "body"),
    "many headers": (form(b"a: b\r\n" * 99 + MODEL), FORM, "body"),
    "no JSON": (form(MODEL, manifest(b"{'a': 1}")), FORM, "manifest"),
    "no UTF-8": (form(MODEL, manifest(b'{"\xff": 1}', '; filename="x"')), FORM, "manifest"),
    "NaN": (form(MODEL, manifest(b'{"a": NaN}', '; filename="x"')), FORM, "manifest"),
    "deep": (form(MODEL, manifest(b"[" * 9999)), FORM, "manifest"),
    "a key twice": (form(MODEL, manifest(b'{"a": 1, "a": 2}')), FORM, "manifest"),
    "odd character set": (form(MODEL, manifest(b"x")), f"{FORM}; charset=base64", "body"),
    "slow character set": (
        form(MODEL, manifest(b"a-" + b"z" * 640_000)),
        'multipart/form-data; ChArset="Punycode"; boundary=b',
        "body",
    ),
    "surrogates": (
        form(MODEL, manifest(rb"\ud800")),
        f"{FORM}; charset=utf-8; charset=unicode_escape",
        "body",
    ),
    "a part's character set": (
        form(MODEL, manifest(rb"\ud800", "\r\nContent-Type: text/plain; charset=unicode_escape")),
        FORM,
        "manifest",
    ),
    "another character set": (
        form(MODEL, manifest(b"\xd8")),
        f"{FORM}; charset=utf-16",
        "body",
    ),
    "JSON that is none": (b"{", "application/json", "body"),
    "JSON of a list": (b"[]", "application/json", "body"),
}


@pytest.mark.parametrize(("content", "kind", "field"), BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_form_that_is_none_is_refused(
    http: httpx2.Client, running: Running, content: bytes, kind: str, field: str
) -> None:
    headers = {"Content-Type": kind.encode("latin-1")}
    answer = http.put("/models/odd", content=content, headers=headers)
    assert is_problem(answer, 422)["field"] == field
    assert is_problem(http.get("/models/odd"), 404)
    assert "Traceback" not in running.stack.output()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_refused(http: httpx2.Client, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = http.put("/models/odd", content=form(MODEL, MANIFEST), headers=headers)
    assert is_problem(answer, 415)["field"] == "body"
    assert "multipart/form-data" in answer.headers["accept"]


def test_a_form_without_a_boundary_and_one_with_a_large_part_are_told(http: httpx2.Client) -> None:
    for content, kind, status, says in [
        (form(MODEL, MANIFEST), "multipart/form-data", 422, "Content-Type has no boundary; let"),
        (form(MODEL, MANIFEST), "multipart/form-data; boundary=c", 422, "send multipart/form-data"),
        (form(MODEL, manifest(b" " * 4_000_001)), FORM, 413, "over the limit of 4000000 bytes"),
    ]:
        answer = http.put("/models/odd", content=content, headers={"Content-Type": kind})
        assert says in is_problem(answer, status)["detail"]


def test_a_form_may_say_that_it_is_utf_8(http: httpx2.Client) -> None:
    described = json.dumps({**LINEAR, "sample": {"a": 1, "b": 2}}).encode()
    for number, charset in enumerate(("utf-8", "UTF-8", '"utf8"')):
        headers = {"Content-Type": f"{FORM}; charset={charset}"}
        content = form(MODEL, manifest(described))
        answer = http.put(f"/models/utf-8-{number}", content=content, headers=headers)
        assert answer.status_code == 201, answer.text


def test_the_manifest_may_be_a_file_and_the_order_any(http: httpx2.Client) -> None:
    as_file = manifest(
        json.dumps(LINEAR).encode(), '; filename="blob"\r\nContent-Type: application/json'
    )
    headers = {"Content-Type": FORM}
    answer = http.put("/models/as-file", content=form(as_file, MODEL), headers=headers)
    assert answer.status_code == 201, answer.text


def test_what_is_too_large_is_refused(http: httpx2.Client) -> None:
    large = put(http, "large", bytes(30_000_001), LINEAR)
    assert "30000000 bytes" in is_problem(large, 413)["detail"]
    long = put(http, "large", graphs.linear(), {**LINEAR, "labels": ["x" * 4_000_000]})
    assert is_problem(long, 413)["field"] == "body"
    files = {"model": ("m", graphs.linear()), "manifest": ("m", bytes(4_000_001))}
    assert is_problem(http.put("/models/large", files=files), 413)["field"] == "manifest"
    body = json.dumps({**ENDPOINT, "sample": {"a": "x" * 4_000_000}})
    headers = {"Content-Type": "application/json"}
    answer = http.put("/models/large", content=body, headers=headers)
    assert is_problem(answer, 413)["field"] == "body"


def test_the_newest_is_no_name_for_a_model(http: httpx2.Client) -> None:
    for answer in (
        put(http, "latest", graphs.linear(), LINEAR),
        http.put("/models/latest", json=ENDPOINT),
        http.put("/models/a..b", json=ENDPOINT),
    ):
        assert is_problem(answer, 422)["field"] == "model_id"


def test_an_endpoint_is_registered_by_its_description(http: httpx2.Client) -> None:
    new = http.put("/models/remote", json=ENDPOINT)
    assert (new.status_code, new.json()) == (201, {"model_id": "remote", "kind": "endpoint"})
    assert new.headers["location"] == "/models/remote"
    assert http.put("/models/remote", json={**ENDPOINT, "seconds": 60}).status_code == 200
    headers = {"Content-Type": "application/vnd.example+json"}
    assert http.put("/models/remote", json=ENDPOINT, headers=headers).status_code == 200
    other = http.put("/models/remote", json={**ENDPOINT, "seconds": 61})
    assert is_problem(other, 409)["type"] == "conflict"
    found = http.get("/models/remote").json()
    assert (found["kind"], found["url"]) == ("endpoint", ENDPOINT["url"])
    again = {**ENDPOINT, "sample": {"c": [True], "b": "x", "a": 1}}  # in another order
    assert http.put("/models/remote", json=again).status_code == 200
    for value in (True, 1.0):  # which equal 1 in Python
        other = http.put(
            "/models/remote", json={**ENDPOINT, "sample": {**again["sample"], "a": value}}
        )
        assert is_problem(other, 409)["type"] == "conflict"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://elsewhere.example/"}, "url"),
        ({"url": "http://models.example:81/"}, "url"),
        ({"url": "https://models.example/"}, "url"),
        ({"url": "file:///etc/passwd"}, "body"),
        ({"url": "http://["}, "body"),
        ({"url": "http://models.example:99999/"}, "body"),
        ({"url": None}, "body"),
        ({"seconds": 0}, "seconds"),
        ({"secret": {"name": "UPPER"}}, "secret.name"),
        ({"kind": "onnx"}, "kind"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_endpoint_that_may_not_be_called_is_refused(
    http: httpx2.Client, changes: dict[str, Any], field: str
) -> None:
    answer = http.put("/models/stranger", json={**ENDPOINT, **changes})
    assert is_problem(answer, 422)["field"] == field
    assert is_problem(http.get("/models/stranger"), 404)


def test_the_catalogue_has_all_kinds(http: httpx2.Client, model_id: str) -> None:
    assert http.put("/models/remote", json=ENDPOINT).is_success
    listed = {each["model_id"]: each for each in http.get("/models").json()["models"]}
    assert listed[model_id]["kind"] == "trained"
    assert listed[model_id]["metrics"]["rmse"] > 0
    for name, kind in [("linear", "onnx"), ("colours", "onnx"), ("remote", "endpoint")]:
        assert listed[name]["kind"] == kind
        nothing = {
            listed[name][key] for key in ("dataset_id", "estimator", "metrics", "trained_at")
        }
        assert nothing == {None}
    assert http.get(f"/models/{model_id}").json()["kind"] == "trained"
    found = http.get("/models/colours").json()
    assert (found["kind"], found["model_id"], found["labels"]) == ("onnx", "colours", COLOURS)
    assert found["inputs"][0]["image"]["size"] == [8, 8]
    assert {each["id"] for each in http.get("/jobs").json()["jobs"]} == {model_id}


def test_metadata_and_a_test_prediction_of_each_kind(http: httpx2.Client, model_id: str) -> None:
    trained = http.get("/metadata", params={"model_id": model_id}).json()
    assert trained["kind"] == "trained"
    assert {each["name"] for each in trained["inputs"]} == set(ROW)
    assert {each["type"] for each in trained["inputs"]} == {"number"}
    assert (trained["prediction"], trained["labels"]) == ("number", None)

    linear = http.get("/metadata", params={"model_id": "linear"}).json()
    assert [each["name"] for each in linear["inputs"]] == ["a", "b"]
    assert linear["sample"] == {"input_data": {"a": 0, "b": 0}}

    colours = http.get("/metadata", params={"model_id": "colours"}).json()
    assert colours["inputs"] == [{"name": "image_data", "type": "image", "size": [8, 8]}]
    assert (colours["prediction"], colours["labels"]) == ("label", COLOURS)

    for name, found in [(model_id, trained), ("linear", linear), ("colours", colours)]:
        asked = answered(ask(http, name, **found["sample"]))
        tested = answered(http.get("/predict/test", params={"model_id": name}))
        assert tested == asked
        assert asked["model_id"] == name

    newest = answered(http.get("/predict/test", params={"model_id": "latest"}))
    assert newest["model_id"] == model_id
    assert newest["prediction"] == pytest.approx(PREDICTION, rel=0.5)


def test_metadata_of_an_endpoint_is_what_its_sample_tells(http: httpx2.Client) -> None:
    assert http.put("/models/remote", json=ENDPOINT).is_success
    remote = http.get("/metadata", params={"model_id": "remote"}).json()
    assert [each["type"] for each in remote["inputs"]] == ["number", "text", "any"]
    assert remote["sample"] == {"input_data": ENDPOINT["sample"]}

    image = {"url": ENDPOINT["url"], "image_sample": pictures.image()}
    assert http.put("/models/remote-image", json=image).status_code == 201
    remote = http.get("/metadata", params={"model_id": "remote-image"}).json()
    assert remote["sample"] == {"image_data": image["image_sample"]}

    assert http.put("/models/silent", json={"url": ENDPOINT["url"]}).status_code == 201
    silent = http.get("/metadata", params={"model_id": "silent"}).json()
    assert (silent["inputs"], silent["sample"]) == (None, None)
    problem = is_problem(http.get("/predict/test", params={"model_id": "silent"}), 409)
    assert "without a sample" in problem["detail"]


def test_a_test_prediction_of_an_endpoint_sends_it_the_sample(http: httpx2.Client) -> None:
    with remote() as far:
        spec = {"url": far.url, "sample": {"a": 1}}
        assert http.put("/models/far", json=spec).status_code == 201
        tested = answered(http.get("/predict/test", params={"model_id": "far"}))
        assert tested["prediction"] == 7.5
        assert far.asked == [{"input_data": {"a": 1}}]


def test_a_sample_is_asked_as_it_was_registered_or_refused(http: httpx2.Client) -> None:
    with remote() as far:
        long = {"a": "\u00e9" * 1_800_000}
        for model_id, sample in (("long", long), ("longer", {"a": [1e15] * 400_000})):
            content = json.dumps({"url": far.url, "sample": sample}, ensure_ascii=False)
            content = content.replace("1000000000000000.0, ", "1e15,")
            headers = {"Content-Type": "application/json"}
            answer = http.put(f"/models/{model_id}", content=content, headers=headers)
            assert answer.status_code == 201, answer.text
        tested = answered(http.get("/predict/test", params={"model_id": "long"}))
        assert tested["prediction"] == 7.5
        assert far.asked == [{"input_data": long}]
        is_problem(http.get("/predict/test", params={"model_id": "longer"}), 413)


def test_while_the_bucket_is_away_nothing_is_registered(
    http: httpx2.Client, running: Running, s3_server: S3Server
) -> None:
    s3_server.stop()
    try:
        away = put(http, "later", graphs.linear(), LINEAR)
    finally:
        s3_server.start()
    assert is_problem(away, 503)["type"] == "storage_unavailable"
    assert is_problem(http.get("/models/later"), 404)
    assert put(http, "later", graphs.linear(), LINEAR).status_code == 201
    assert len(stored(running.stack, "later")) == 2


@pytest.mark.parametrize("path", ["/metadata", "/predict/test"])
def test_what_is_not_there_has_no_metadata(http: httpx2.Client, path: str) -> None:
    assert is_problem(http.get(path, params={"model_id": "nobody"}), 404)["field"] == "model_id"
    assert is_problem(http.get(path, params={"model_id": "a..b"}), 422)["field"] == "model_id"
    assert is_problem(http.get(path), 422)["field"] == "model_id"


def test_a_loop_that_some_input_makes_endless_ends_alone(http: httpx2.Client) -> None:
    answer = put(http, "loop", harmful_graphs.endless(ends_at_zero=True), LINEAR)
    assert answer.status_code == 201, answer.text
    with ThreadPoolExecutor() as threads:
        endless = threads.submit(ask, http, "loop", input_data={"a": 1, "b": 0})
        assert "longer than 15 s" in is_problem(endless.result(), 504)["detail"]
    assert answered(ask(http, "loop", input_data={"a": 0, "b": 0}))["prediction"] == 0
    assert answered(ask(http, "linear", input_data={"a": 1, "b": 2}))["prediction"] == 9.0
