"""HTTP bodies about names of models, their versions and aliases."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.protocol.references import VersionNumber
from app.protocol.requests import RequestBody
from app.protocol.tags import MAX_TAGS, TagName
from app.protocol.types import Explained

_Why = Annotated[
    Annotated[str, Field(max_length=1000, pattern="^[^\x00]*$")] | None,
    Field(description="Why it is changed; the history keeps it.", examples=["better on March"]),
]
_VersionKey = Annotated[
    Annotated[str, Field(pattern="^[1-9][0-9]{0,8}$")],
    Explained("use the number of a version as a string"),
]
_Weight = Annotated[float, Field(ge=0, le=1_000_000)]


class DescriptionBody(RequestBody):
    """What a name or a version is for, and words to find it by. Both are replaced."""

    EXAMPLE = '{"description": "who leaves next month", "tags": ["sales"]}'
    model_config = ConfigDict(extra="forbid")

    description: Annotated[str, Field(max_length=10_000, pattern="^[^\x00]*$")] | None = Field(
        None, description="What it is for.", examples=["Progression after a year."]
    )
    tags: Annotated[list[TagName], Field(max_length=MAX_TAGS)] = Field(
        [], description="Words to find it by.", examples=[["reference"]]
    )


class AliasBody(RequestBody):
    """The version to which an alias points from now on."""

    EXAMPLE = '{"version": 3, "why": "better on the rows of March"}'
    model_config = ConfigDict(extra="forbid")

    version: VersionNumber = Field(description="The number of the version.", examples=[1])
    why: _Why = None
    metric: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="Compare by this metric: a version that is worse than the present one on the "
        "rows that tested that is refused. `rmse`, `mae`, `r2`, `accuracy`, `f1` or `log_loss`.",
        examples=[None],
    )
    force: bool = Field(
        default=False,
        description="Set the alias although the comparison says no; the history tells so.",
        examples=[False],
    )


class ReasonBody(RequestBody):
    """Why an alias goes back."""

    EXAMPLE = '{"why": "it answers nonsense"}'
    model_config = ConfigDict(extra="forbid")

    why: _Why = None


class SplitBody(RequestBody):
    """The weights of versions: their shares of the calls."""

    EXAMPLE = '{"weights": {"2": 9, "3": 1}}'
    model_config = ConfigDict(extra="forbid")

    weights: Annotated[dict[_VersionKey, _Weight], Field(min_length=1, max_length=10)] = Field(
        description="The weight of each version. All of them add up to more than 0.",
        examples=[{"1": 1}],
    )

    @field_validator("weights")
    @classmethod
    def _has_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if not any(weights.values()):
            raise ValueError("one of them has to be more than 0")
        return weights


class NameView(BaseModel):
    """A name of models; `last_version` is the number of its newest version, 0 before the first.

    `split` are the weights of versions; null if all calls go to the newest version.
    """

    model_config = ConfigDict(from_attributes=True)

    name: str
    last_version: int
    description: str | None
    tags: list[str]
    split: dict[str, float] | None
    created_at: datetime


class Names(BaseModel):
    """A page of names; `next` is the cursor of the page that follows, null on the last one."""

    names: list[NameView]
    next: str | None


class VersionView(BaseModel):
    """A version of a name: its model, and the aliases that point to it.

    `created_at` is when it was published. A version with `deleted_at` keeps its number, and answers
    nothing any more.
    """

    model_config = ConfigDict(from_attributes=True)

    name: str
    version: int
    model_id: str
    kind: Literal["trained", "onnx", "endpoint"]
    description: str | None
    tags: list[str]
    metrics: dict[str, float] | None
    aliases: list[str]
    created_at: datetime
    deleted_at: datetime | None


class Versions(BaseModel):
    """A page of versions; `next` is the cursor of the page that follows, null on the last one."""

    versions: list[VersionView]
    next: str | None


class AliasView(BaseModel):
    """What an alias points to, since when; `change` is the number of its newest change."""

    model_config = ConfigDict(from_attributes=True)

    alias: str
    version: int
    model_id: str
    change: int
    changed_at: datetime


class Aliases(BaseModel):
    """The aliases of a name."""

    aliases: list[AliasView]


class AliasChangeView(BaseModel):
    """A change of an alias: who made it, when, from which version to which, and why.

    `from_version` is null if the alias was not there, `to_version` if it was deleted. `comparison`
    is that of the promotion check; `forced` tells that the alias was changed in spite of it.
    """

    model_config = ConfigDict(from_attributes=True)

    change: int
    kind: Literal["set", "rollback", "delete"]
    changed_at: datetime
    actor: str = Field(description="Who changed it, as the audit log names them.")
    from_version: int | None
    to_version: int | None
    why: str | None
    forced: bool
    comparison: dict[str, Any] | None


class AliasHistory(BaseModel):
    """A page of changes; `next` is the cursor of the page that follows, null on the last one."""

    history: list[AliasChangeView]
    next: str | None


class VersionThen(BaseModel):
    """The version to which an alias pointed at a time, and the change that had made it so."""

    name: str
    alias: str
    version: int
    model_id: str
    deleted_at: datetime | None
    since: AliasChangeView
