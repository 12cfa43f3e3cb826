"""Bodies of the Open Inference Protocol, checked by its published schema."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

SCHEMA = Path(__file__).parents[1] / "vendor" / "oip" / "open_inference_rest.yaml"


@cache
def validator(name: str) -> Draft7Validator:
    components = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["components"]
    return Draft7Validator({"$ref": f"#/components/schemas/{name}", "components": components})


def fits(name: str, body: Any) -> Any:
    """Check that a body is one of the schema's `name`; return it.

    The schema does not know binary data, so a tensor with them is given the data that it requires.
    """
    for kind in ("inputs", "outputs"):
        for each in body.get(kind, ()) if name.startswith("inference_re") else ():
            if "binary_data_size" in each.get("parameters", {}):
                each.setdefault("data", [])
    validator(name).validate(body)
    return body
