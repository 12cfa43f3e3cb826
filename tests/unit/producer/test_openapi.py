"""The OpenAPI document: a change of the HTTP API is a change of `openapi.json` beside this file."""

import difflib
import http
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from app import errors
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.producer.app import create_app
from app.producer.routing.route_scopes import ScopedRoute, scopes_of
from app.producer.schemas.responses import Problem
from app.protocol.types import ARROW_MEDIA_TYPE, CSV_MEDIA_TYPE, PARQUET_MEDIA_TYPE
from app.settings import Settings

SNAPSHOT = Path(__file__).with_name("openapi.json")
REWRITE = "REWRITE_OPENAPI"
HINT = f"If the change is meant, run this test with {REWRITE}=1: it writes {SNAPSHOT.name} anew."


def test_the_openapi_document_is_that_of_the_snapshot() -> None:
    document = create_app(Settings(_env_file=None)).openapi()
    forget_phrases(document)
    actual = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get(REWRITE):
        SNAPSHOT.write_text(actual, encoding="utf-8")
    expected = SNAPSHOT.read_text(encoding="utf-8")
    if actual != expected:
        lines = (expected.splitlines(), actual.splitlines())
        diff = difflib.unified_diff(*lines, SNAPSHOT.name, "the application", lineterm="", n=6)
        pytest.fail("\n".join([*diff, "", HINT]), pytrace=False)


def test_no_name_of_a_component_tells_a_module() -> None:
    """FastAPI puts the module in front of a class whose name another one has, too."""
    components = create_app(Settings(_env_file=None)).openapi()["components"]["schemas"]
    assert [name for name in components if "__" in name] == []


def test_each_reference_is_to_a_component_and_errors_are_two_of_them() -> None:
    document = create_app(Settings(_env_file=None)).openapi()
    written = json.dumps(document)
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', written))
    assert referred <= document["components"]["schemas"].keys()
    assert {"Problem", "ProtocolError"} <= referred
    assert written.count(Problem.__doc__ or "") == 1


def test_a_download_names_each_format_that_a_data_set_has() -> None:
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]
    answers = paths["/datasets/{dataset_id}/file"]["get"]["responses"]["200"]["content"]
    stored = paths["/datasets/{dataset_id}"]["put"]["requestBody"]["content"]
    assert {CSV_MEDIA_TYPE, PARQUET_MEDIA_TYPE, ARROW_MEDIA_TYPE} <= answers.keys() & stored.keys()


def test_every_required_parameter_has_an_example_that_swagger_ui_reads() -> None:
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]
    missing = [
        (path, parameter["name"])
        for path, operations in paths.items()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter.get("required") and not parameter.get("examples")
    ]
    assert missing == []


def test_every_field_of_a_request_has_a_description_and_an_example() -> None:
    document = create_app(Settings(_env_file=None)).openapi()
    bare, seen = [], 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for name, field in fields_of(operation, document["components"]["schemas"]):
                seen += 1
                if not field.get("description") or not (
                    {"example", "examples"} & (field.keys() | field.get("schema", {}).keys())
                ):
                    bare.append(f"{method.upper()} {path}: {name}")
    assert bare == []
    assert seen > 90


def test_each_operation_with_scopes_takes_a_key_and_says_which() -> None:
    app = create_app(Settings(_env_file=None))
    document = app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert [each["type"] for each in schemes.values()] == ["http", "apiKey"]
    seen = 0
    for each in iter_route_contexts(app.routes):
        route = each.original_route
        if not isinstance(route, ScopedRoute) or not route.include_in_schema:
            continue
        for method in route.methods:
            operation = document["paths"][route.path_format][method.lower()]
            scopes = scopes_of(route.endpoint)
            assert ("security" in operation) is bool(scopes)
            assert ({"401", "403"} <= operation["responses"].keys()) is bool(scopes)
            for scope in scopes or ():
                assert f"`{scope}`" in operation["responses"]["403"]["description"]
                seen += 1
    assert seen > 30
    assert app.openapi() is document


def test_each_operation_has_the_answers_of_the_middlewares() -> None:
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]
    seen = 0
    for operations in paths.values():
        for operation in operations.values():
            if "security" in operation:
                assert "429" in operation["responses"]
            if "requestBody" in operation:
                assert {"408", "413", "415"} <= operation["responses"].keys()
                seen += 1
    assert seen > 15


def fields_of(
    operation: dict[str, Any], components: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the parameters of an operation, and all properties of its bodies, with their paths."""
    for parameter in operation.get("parameters", ()):
        yield parameter["name"], parameter
    for body in operation.get("requestBody", {}).get("content", {}).values():
        yield from properties_of(body["schema"], "", components)


def properties_of(
    schema: dict[str, Any], path: str, components: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the properties of a schema, also those of the objects in it."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    for each in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        yield from properties_of(each, path, components)
    if "items" in schema:
        yield from properties_of(schema["items"], path, components)
    for name, field in schema.get("properties", {}).items():
        yield f"{path}{name}", field
        yield from properties_of(field, f"{path}{name}.", components)


def test_the_examples_of_a_registration_are_shown_and_accepted() -> None:
    document = create_app(Settings(_env_file=None)).openapi()
    content = document["paths"]["/models/{model_id}"]["put"]["requestBody"]["content"]
    manifest = content["multipart/form-data"]["schema"]["properties"]["manifest"]
    endpoint = content["application/json"]["example"]

    assert OnnxManifest.model_validate(manifest["example"]).features
    shown = manifest["description"].partition("```json\n")[2].removesuffix("\n```")
    assert json.loads(shown) == manifest["example"]
    spec = EndpointSpec.model_validate(endpoint)
    spec.check_host("127.0.0.1")
    with pytest.raises(errors.Invalid, match="INVOKE_HOSTS"):
        spec.check_host("")
    assert "`INVOKE_HOSTS`" in document["info"]["description"]


def forget_phrases(document: dict[str, Any]) -> None:
    """Replace the phrases of statuses, because Python 3.13 has other ones for 413 and 422."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if response["description"] == http.HTTPStatus(int(status)).phrase:
                    response["description"] = f"<phrase of {status}>"
