"""The body of `PUT /datasets/{id}`, as `/docs` shows it."""

from typing import Any

from app.producer.schemas.requests import CSV_EXAMPLE
from app.protocol.types import (
    ARROW_MEDIA_TYPE,
    ARROW_STREAM_MEDIA_TYPE,
    CSV_MEDIA_TYPE,
    GZIP_MEDIA_TYPE,
    MULTIPART_MEDIA_TYPE,
    PARQUET_MEDIA_TYPE,
)

_SEMICOLONS = CSV_EXAMPLE.replace(",", ";").replace(".", ",")
_EXAMPLES = {
    "commas": {"value": CSV_EXAMPLE},
    "semicolons": {"value": _SEMICOLONS},
    "tabs": {"value": CSV_EXAMPLE.replace(",", "\t")},
}
_FILES = {
    GZIP_MEDIA_TYPE: "A CSV that gzip has compressed: curl -T data.csv.gz",
    PARQUET_MEDIA_TYPE: "As of pandas' `to_parquet`: curl -T data.parquet",
    ARROW_MEDIA_TYPE: "An Arrow IPC file, as of pandas' `to_feather`: curl -T data.arrow",
    ARROW_STREAM_MEDIA_TYPE: "An Arrow IPC stream: curl -T data.arrows",
}


def _binary(description: str) -> dict[str, Any]:
    return {"type": "string", "format": "binary", "description": description}


_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            **_binary("Any of these files: curl -X PUT -F file=@data.csv"),
            "example": CSV_EXAMPLE,
        }
    },
}

TABLE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        CSV_MEDIA_TYPE: {"schema": {"type": "string"}, "examples": _EXAMPLES},
        **{kind: {"schema": _binary(said)} for kind, said in _FILES.items()},
        MULTIPART_MEDIA_TYPE: {"schema": _FORM},
    },
}
