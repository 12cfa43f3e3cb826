"""Each form of /invocations, as SageMaker's and MLflow's clients send it, gets its answer."""

import base64
import json
from typing import Any

import boto3
import httpx2
import pytest

from devstack.demo import ROW
from tests.support import tiny
from tests.system.conftest import Running
from tests.system.support.client import PREDICTION, is_problem, trained, upload

PLAIN_HTTP = True  # it speaks HTTP by itself

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
VALUES = list(ROW.values())
LINE = ",".join(map(str, VALUES))
RED, GREEN = (255, 0, 0), (0, 255, 0)
BACKWARDS = list(reversed(ROW))
SIZES = "size,colour,new,price\n" + "".join(
    f"{n},{'red' if n % 2 else 'blue'},{n % 3 == 0},{'dear' if n % 2 else 'cheap'}\n"
    for n in range(40)
)


@pytest.fixture(scope="module")
def http(running: Running, model_id: str) -> httpx2.Client:
    return running.http


@pytest.fixture(scope="module")
def classifier(running: Running) -> str:
    """A model of a number, a text and a boolean."""
    upload(running.http, "sizes", SIZES)
    columns = {"features": ["size", "colour", "new"], "target": "price"}
    estimator = "random_forest_classifier"
    return trained(running.http, dataset_id="sizes", estimator=estimator, **columns)


def invoked(
    http: httpx2.Client, model_id: str, kind: str, body: Any, accept: str | None = None
) -> httpx2.Response:
    headers = {"Content-Type": kind, ATTRIBUTES: f"model_id={model_id}"}
    if accept:
        headers["Accept"] = accept
    content = body if isinstance(body, str) else json.dumps(body)
    return http.post("/invocations", content=content.encode(), headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [ROW, ROW]},
        {"instances": [VALUES, VALUES]},
        {"instances": [{"features": VALUES}] * 2},
        {"inputs": [VALUES, VALUES]},
        {"inputs": {name: [value, value] for name, value in ROW.items()}},
        {"dataframe_records": [ROW, ROW]},
        {"dataframe_split": {"columns": list(ROW), "index": [0, 1], "data": [VALUES, VALUES]}},
        {"columns": BACKWARDS, "data": [[ROW[name] for name in BACKWARDS]] * 2},
    ],
    ids=lambda body: next(iter(body)),
)
def test_wrapped_rows_are_answered_by_predictions(
    http: httpx2.Client, model_id: str, body: Any
) -> None:
    answer = invoked(http, model_id, JSON, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == JSON
    assert answer.headers[ATTRIBUTES] == f"model_id={model_id}"
    assert answer.json() == {"predictions": pytest.approx([PREDICTION] * 2, abs=1e-3)}


@pytest.mark.parametrize(
    ("body", "many"), [(VALUES, False), ([VALUES, VALUES], True), ([ROW, VALUES], True)]
)
def test_plain_lists_are_answered_as_rows_are(
    http: httpx2.Client, model_id: str, body: Any, many: bool
) -> None:
    answer = invoked(http, model_id, JSON, body).json()
    wanted = [PREDICTION] * 2 if many else PREDICTION
    assert answer["prediction"] == pytest.approx(wanted, abs=1e-3)
    assert answer.keys() == {"status", "model_id", "prediction", "pred_proba"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (CSV, f"{LINE}\n{LINE}\n"),
        (CSV, f"{LINE}\r\n{LINE}\r\n\r\n"),
        (CSV, f"{','.join(ROW)}\n{LINE}\n{LINE}"),
        ("text/csv; charset=utf-8; header=present", f"{','.join(ROW)}\n{LINE}\n{LINE}"),
        ("text/csv; header=absent", f"{LINE}\n{LINE}"),
        (LINES, f"{json.dumps(ROW)}\n{json.dumps(VALUES)}\n"),
        ("application/x-ndjson; charset=utf-8", f'{{"features": {VALUES}}}\r\n{VALUES}'),
        ("application/jsonl", f"\ufeff{VALUES}\n{VALUES}\n\n"),
        (JSON, {"input_data": [ROW, ROW]}),
        (JSON, {"instances": [ROW, ROW]}),
    ],
)
def test_every_form_is_answered_in_every_form(
    http: httpx2.Client, model_id: str, kind: str, body: Any
) -> None:
    wanted = pytest.approx([PREDICTION] * 2, abs=1e-3)
    lines = invoked(http, model_id, kind, body, CSV)
    assert lines.headers["content-type"] == "text/csv; charset=utf-8"
    assert [float(line) for line in lines.text.splitlines()] == wanted
    assert lines.text.endswith("\n")
    objects = invoked(http, model_id, kind, body, LINES)
    assert objects.headers["content-type"] == LINES
    assert [json.loads(line)["prediction"] for line in objects.text.splitlines()] == wanted
    whole = invoked(http, model_id, kind, body, f"{JSON}, text/csv;q=0.5").json()
    assert whole.get("predictions", whole.get("prediction")) == wanted
    own = invoked(http, model_id, kind, body, "*/*")
    assert own.headers["content-type"].partition(";")[0] == kind.partition(";")[0]


def test_a_cell_means_what_it_means_in_a_training(http: httpx2.Client, classifier: str) -> None:
    body = 'size,colour,new\n3,red,True\n"4", blue,false\n'
    answer = invoked(http, classifier, CSV, body)
    assert answer.status_code == 200, answer.text
    assert answer.text.splitlines()[0] == "dear"
    row = json.loads(invoked(http, classifier, CSV, body, LINES).text.splitlines()[0])
    assert row["pred_proba"].keys() == {"cheap", "dear"}
    single = invoked(http, classifier, JSON, {"size": 3, "colour": "red", "new": True}, CSV)
    assert single.text == "dear\n"


@pytest.mark.parametrize(
    ("kind", "body", "field", "said"),
    [
        (CSV, "", "body", "empty; expected CSV"),
        (LINES, "\n", "body", "empty; expected JSON lines"),
        (CSV, "3,red\n", "body", "line 1: has 2 values, but model"),
        (CSV, "3,red,true\n4,blue,maybe\n", "body",
         'line 2, column new: expected true or false, not "maybe"'),
        (CSV, 'size,colour,new\n3,"a\nb",true\n,red,true\n', "body",
         "line 4, column size: expected a number, not null"),
        (CSV, "size,color,new\n3,red,true\n", "body",
         'line 1, column color: the model has no column "color"; did you mean "colour"?'),
        (LINES, '{"size": 3, "colour": "red", "new": true}\n{"size": 3}\n', "body",
         "line 2, column colour: missing colour, new"),
        (LINES, '[3, "red", true]\n[3, "red"', "body",
         "not valid JSON: line 2, column 10: the text ends before the JSON is complete"),
        (JSON, {"instances": [[3, "red", True], [3, 4, True]]}, "instances.1.colour",
         "expected a string, not 4"),
        (JSON, {"instances": [[3, "red"]]}, "instances.0", "has 2 values, but model"),
        (JSON, {"inputs": {"size": [3], "colour": ["red"], "new": [1]}}, "inputs.0.new",
         "expected true or false, not 1"),
        (JSON, {"dataframe_split": {"columns": ["size"], "data": [[3]]}},
         "dataframe_split.data.0.colour", "missing colour, new"),
        (JSON, ["3", "red", True], "input_data.size", 'expected a number, not "3"'),
        ("text/csv; header=maybe", "1", "Content-Type", "header must be present or absent"),
    ],
)  # fmt: skip
def test_an_error_names_its_place(
    http: httpx2.Client, classifier: str, kind: str, body: Any, field: str, said: str
) -> None:
    problem = is_problem(invoked(http, classifier, kind, body), 422)
    assert problem["field"] == field
    assert problem["detail"].startswith(f"{field}: {said}")


def test_forms_that_do_not_exist_are_refused_with_those_that_do(
    http: httpx2.Client, model_id: str
) -> None:
    refused = invoked(http, model_id, "application/x-npy", "x")
    assert "text/csv" in is_problem(refused, 415)["detail"]
    assert "application/jsonlines" in refused.headers["accept"]
    refused = invoked(http, model_id, "text/csv; charset=utf-16", "x")
    assert "UTF-8" in is_problem(refused, 415)["detail"]
    answer = invoked(http, model_id, JSON, ROW, "application/x-npy")
    assert "text/csv" in is_problem(answer, 406)["detail"]


def test_further_columns_may_be_ignored(http: httpx2.Client, classifier: str) -> None:
    body = "id,size,colour,new\n7,3,red,true\n"
    refused = is_problem(invoked(http, classifier, CSV, body), 422)
    assert refused["detail"].startswith('body: line 1, column id: the model has no column "id"')
    headers = {"Content-Type": CSV, ATTRIBUTES: f"model_id={classifier},extra=ignore"}
    answer = http.post("/invocations", content=body, headers=headers)
    assert (answer.status_code, answer.text) == (200, "dear\n")
    beside = {"dataframe_records": [{"id": 7, "size": 3, "colour": "red", "new": True}]}
    answer = invoked(http, classifier, JSON, {**beside, "extra": "ignore"})
    assert answer.json() == {"predictions": ["dear"]}


def test_boto3_asks_as_it_asks_sagemaker(http: httpx2.Client, model_id: str) -> None:
    """SageMaker forwards a call to the container's path, with its headers and its body."""
    container = f"{str(http.base_url).rstrip('/')}/invocations"
    secret = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "x")
    client = boto3.client("sagemaker-runtime", "us-east-1", endpoint_url=container, **secret)

    def forward(request: Any, **_: Any) -> None:
        request.url = container

    client.meta.events.register("request-created.sagemaker-runtime", forward)
    answer = client.invoke_endpoint(
        EndpointName="warren",
        ContentType=CSV,
        Accept=LINES,
        CustomAttributes=f"model_id={model_id}",
        Body=f"{LINE}\n".encode(),
    )
    assert (answer["ContentType"], answer["CustomAttributes"]) == (LINES, f"model_id={model_id}")
    assert json.load(answer["Body"])["prediction"] == pytest.approx(PREDICTION, abs=1e-3)


def test_images_may_come_as_instances(http: httpx2.Client) -> None:
    model = tiny.parts(tiny.COLOURS, tiny.colours())
    assert http.put("/models/colours", files=model).status_code == 201
    red, green = (base64.b64encode(tiny.image(each)).decode() for each in (RED, GREEN))
    for body in ({"instances": [red, {"b64": green}]}, {"inputs": [red, green]}):
        answer = invoked(http, "colours", JSON, body)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"predictions": ["red", "green"]}
    lines = invoked(http, "colours", LINES, "\n".join(map(json.dumps, [red] * 65)), CSV)
    assert lines.text.splitlines() == ["red"] * 65
    refused = invoked(http, "colours", CSV, "1,2")
    assert is_problem(refused, 422)["detail"] == "body: model colours takes images, not rows"


def test_the_examples_of_the_documentation_succeed(http: httpx2.Client, model_id: str) -> None:
    document = http.get("/openapi.json").json()["paths"]["/invocations"]["post"]
    tried = 0
    for kind, content in document["requestBody"]["content"].items():
        for example in content.get("examples", {"": {"value": content.get("example")}}).values():
            if example["value"] is not None:
                answer = invoked(http, model_id, kind, example["value"])
                assert answer.status_code == 200, answer.text
                tried += 1
    assert tried > 10
