"""HTTP bodies about the shadow of a name."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.protocol.references import AliasName, VersionNumber
from app.protocol.requests import RequestBody


class ShadowBody(RequestBody):
    """What becomes the shadow of an alias, and the share of the calls that it gets."""

    EXAMPLE = '{"alias": "champion", "version": 3, "share": 0.1}'
    model_config = ConfigDict(extra="forbid")

    alias: AliasName = Field(
        description="The alias whose calls are sent once more.", examples=["champion"]
    )
    version: VersionNumber = Field(description="The version that gets them, too.", examples=[1])
    share: Annotated[float, Field(ge=0, le=1)] = Field(
        description="The share of the calls, which chance chooses: 1 is each of them, 0 none.",
        examples=[0.1],
    )


class RowsView(BaseModel):
    """Some of the rows: how many disagree, their share, and the mean absolute difference."""

    rows: int
    disagreed: int
    rate: float | None = Field(description="`disagreed` / `rows`, null without rows.")
    difference_mean: float | None = Field(description="Null without numbers.")


class RangeView(RowsView):
    """The rows whose number is from `low` to less than `high`; null is no bound."""

    low: float | None
    high: float | None


class TextView(RowsView):
    """The rows whose value is a text, or `true` or `false`."""

    value: str = Field(description="Its first 100 characters.")


class FeatureView(BaseModel):
    """Where two versions disagree: in which quarter of a feature, and at which of its values."""

    feature: str
    ranges: list[RangeView] = Field(
        description="Of numbers: the quarters of the rows that were counted by feature. A frequent "
        "number has a range of its own, so there may be fewer."
    )
    texts: list[TextView] = Field(
        description="The ten most frequent texts of more than one row, the most frequent first."
    )
    other: RowsView = Field(description="The rows with any other value.")
    missing: RowsView = Field(description="The rows whose value is null.")
    unevenness: float = Field(
        description="The share of the disagreement (of numbers, of the sum of the differences) "
        "that would have to be elsewhere for it to be even: 0 is even, near 1 is in one place."
    )


class ShadowCountsView(BaseModel):
    """How the answers of two versions to the same calls compare.

    `calls` were compared. `failed` ones the shadow did not answer in time or refused, and `dropped`
    ones were not sent. `disagreed` of the `rows` have another label, or a number that differs by
    more than 1e-9 of it. `numbers` are the rows that both answer with numbers, of which are the
    mean and the largest absolute difference, null without any.
    """

    base_version: int = Field(description="The version to which the alias points.")
    version: int = Field(description="The version of the shadow.")
    calls: int
    rows: int
    disagreed: int
    numbers: int
    difference_mean: float | None
    difference_max: float | None
    failed: int
    dropped: int
    features: list[FeatureView] | None = Field(
        description="The same by feature, of at most 30 features, that which tells most first. "
        "Null but for the first of the pairs, and for all but the owner of the name, because they "
        "hold values of calls."
    )
    created_at: datetime
    updated_at: datetime


class ShadowView(BaseModel):
    """The shadow of a name, and what was compared: the pair of versions that was last comes first.

    `base_version` is null if the alias is not there. While it is the version of the shadow, nothing
    is compared.
    """

    name: str
    alias: str
    base_version: int | None
    version: int
    model_id: str
    share: float
    changed_at: datetime
    compared: list[ShadowCountsView] = Field(description="At most 100 pairs of versions.")
