"""Options of a training that are objects: the split, cross-validation, and the preprocessing."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from app.protocol.estimators import SEED
from app.protocol.types import Column, Explained
from app.protocol.wording import nfc, quoted

DEFAULT_TEST_SIZE = 0.2
MAX_FEATURES = 10_000
FOLDS = 5
MAX_FOLDS, MAX_REPEATS, MAX_FITS = 50, 20, 100
MAX_TFIDF_TERMS = 10_000

Scaling = Literal["none", "standard", "min-max", "robust"]
Imputation = Literal["none", "median", "mean", "most-frequent", "constant"]
Categories = Literal["one-hot", "ordinal", "native"]
DatePart = Literal["year", "month", "day", "weekday", "day-of-year", "hour"]
TargetTransform = Literal["none", "log1p"]

_SIZES = (
    "must be 0, a number above 0 and below 1, the share of the rows that test the model, or a "
    "whole number of at least 1, the count of these rows"
)


def as_count(size: object) -> object:
    """Return 50 for 50.0: JSON has one type of numbers. Raises `ValueError` for a string."""
    if isinstance(size, str):
        raise ValueError(f"{_SIZES}; you sent the string {quoted(size)}")
    return int(size) if isinstance(size, float) and size.is_integer() else size


ColumnName = Annotated[Column, AfterValidator(nfc)]  # data sets are read in the same form
Size = Annotated[
    Annotated[float, Field(ge=0, lt=1)] | Annotated[int, Field(ge=0)],
    Explained(_SIZES),
    BeforeValidator(as_count),
]


class Options(BaseModel):
    """An object of options; an unknown one is an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Split(Options):
    """Which rows test the model.

    At most one of `group` and `time` is given. Its column is a feature only if `features` lists it.
    """

    test_size: Size | None = Field(
        None,
        description="The share of the rows that test the model, or from 1 on their count; with 0 "
        "the model learns from all rows, and nothing is measured. 0.2 unless `cv` is given.",
        examples=[0.25],
    )
    random_state: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = Field(
        SEED,
        description="The seed of the split; `null` draws another split each time.",
        examples=[7],
    )
    stratify: Annotated[bool | Literal["auto"], Explained('must be true, false or "auto"')] = Field(
        "auto",
        description="Whether each part has each class in the same share; `auto` does so for a "
        "classifier whose classes have enough rows.",
        examples=[True],
    )
    group: ColumnName | None = Field(
        None,
        description="A column; rows with the same value in it are never in both parts.",
        examples=["patient"],
    )
    time: ColumnName | None = Field(
        None,
        description="A column of numbers or dates; the rows that come last in it test the model.",
        examples=["day"],
    )

    @model_serializer(mode="wrap")
    def _with_any_seed(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep a seed that is null where other members that are null are left out."""
        written: dict[str, Any] = serialize(self)
        return written | {"random_state": self.random_state}


class CrossValidation(Options):
    """Measure the model by cross-validation. Folds follow the `group` or `time` of the split."""

    folds: Annotated[int, Field(ge=2, le=MAX_FOLDS)] = Field(
        FOLDS, description="Parts of the rows, each of which tests a model.", examples=[5]
    )
    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)] = Field(
        1, description="Times to do so, each with other folds.", examples=[3]
    )


class ExcludedColumns(Options):
    """All columns but some."""

    exclude: Annotated[list[ColumnName], Field(max_length=MAX_FEATURES)] = Field(
        description="Columns that are not features.", examples=[["id"]]
    )


class Preprocessing(Options):
    """What is done to the columns before the estimator gets them.

    What is left out follows the estimator; docs/training.md has the table.
    """

    scaling: Scaling | None = Field(
        None, description="How columns of numbers are scaled.", examples=["standard"]
    )
    imputation: Imputation | None = Field(
        None, description="What a missing number becomes.", examples=["mean"]
    )
    fill_value: float | None = Field(
        None, description="The number of the imputation `constant`; 0 if left out.", examples=[-1]
    )
    categories: Categories | None = Field(
        None,
        description="How texts and categories become numbers: a column for each, one number for "
        "each, or left to an estimator that takes categories.",
        examples=["ordinal"],
    )
    min_frequency: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="With `one-hot`, categories with fewer training rows share a column.",
        examples=[10],
    )
    dates: Annotated[list[DatePart], Field(min_length=1)] | None = Field(
        None,
        description="Parts of dates, each of which becomes a column beside the days since 1970.",
        examples=[["month", "weekday"]],
    )
    tfidf: Annotated[list[ColumnName], Field(min_length=1, max_length=10)] | None = Field(
        None,
        description="Columns of free text, of which each word becomes a column with its TF-IDF.",
        examples=[["review"]],
    )
    max_terms: Annotated[int, Field(ge=1, le=MAX_TFIDF_TERMS)] | None = Field(
        None,
        description="The most frequent words that are kept; 1,000 if left out.",
        examples=[500],
    )
