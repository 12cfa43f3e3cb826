"""The file `MLmodel`, by which MLflow knows a model: YAML, whose texts are quoted as in JSON."""

import json
import platform
from datetime import datetime
from typing import Any

LOADER = "warren_pyfunc"


def mlmodel(
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    *,
    uuid: str,
    created_at: datetime,
    example: str | None,
    metadata: dict[str, str],
) -> str:
    """Return the content of `MLmodel`.

    `inputs` and `outputs` are the columns of the signature. `example` names the file of a row.
    `uuid` and `created_at` tell this model from others.
    """
    lines = [
        "flavors:",
        "  python_function:",
        "    code: code",
        "    env:",
        "      virtualenv: python_env.yaml",
        f"    loader_module: {LOADER}",
        f"    python_version: {platform.python_version()}",
        "metadata:",
        *(f"  {name}: {json.dumps(value)}" for name, value in metadata.items()),
        f"model_uuid: {json.dumps(uuid)}",
    ]
    if example is not None:
        lines += [
            "saved_input_example_info:",
            f"  artifact_path: {example}",
            "  pandas_orient: split",
            "  type: dataframe",
        ]
    lines += [
        "signature:",  # each part is JSON in a text
        f"  inputs: {_quoted_json(inputs)}",
        f"  outputs: {_quoted_json(outputs)}",
        "  params: null",
        f"utc_time_created: '{created_at:%Y-%m-%d %H:%M:%S.%f}'",
    ]
    return "\n".join(lines) + "\n"


def _quoted_json(value: Any) -> str:
    """Return a value as a text of YAML in single quotes; JSON is all printable ASCII."""
    return "'" + json.dumps(value).replace("'", "''") + "'"
