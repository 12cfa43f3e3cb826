"""How a request declares the type of a column, and what means a missing value in it."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.protocol.wording import did_you_mean, quoted

ColumnKind = Literal["number", "category", "text", "date", "boolean"]
_KINDS: tuple[str, ...] = get_args(ColumnKind)


class ColumnType(BaseModel):
    """How to read a column: its type, and the texts that mean a missing value in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    type: Annotated[
        ColumnKind,
        Field(
            description="Each value of a `text` or `category` becomes a column of zeros and ones. "
            "A `category` takes 1 and 1.0 for the same value, a `text` does not.",
            examples=["category"],
        ),
    ]
    missing: Annotated[
        list[Annotated[str, Field(max_length=256)]],
        Field(
            max_length=100,
            description="Cells that mean a missing value, as an empty cell does.",
            examples=[["?", "-"]],
        ),
    ] = []


def _as_object(declared: object) -> object:
    """Return a declaration as an object; the name of a type stands for one with that type."""
    if isinstance(declared, ColumnType | dict):
        return declared
    if not isinstance(declared, str) or declared not in _KINDS:
        meant = did_you_mean(declared, _KINDS) if isinstance(declared, str) else ""
        raise ValueError(
            f'must be one of {", ".join(map(quoted, _KINDS))}, or an object with "type" and '
            f'"missing"{meant}'
        )
    return {"type": declared}


DeclaredType = Annotated[
    ColumnType,
    BeforeValidator(_as_object, json_schema_input_type=ColumnKind | ColumnType),
]
