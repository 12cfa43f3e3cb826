"""What of a table a model is given, and what of it goes into the result of a batch job."""

import sys
from collections import Counter
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from app import errors
from app.inference.tensor_types import LARGEST_FLOAT32
from app.models.manifest import OnnxManifest, TrainedManifest
from app.protocol.batch_request import BatchOptions
from app.protocol.column_types import ColumnKind
from app.protocol.estimators import COMPARE_IN_FLOAT32
from app.protocol.label_keys import Label, label_keys
from app.protocol.wording import listed, nearest, nfc, quoted, repeated

ResultFormat = Literal["csv", "parquet"]

PREDICTION = "prediction"
PROBABILITY = "probability_"  # and the key of the label
MAX_LABELS = 100  # of which each has a column in the result


class ScoredColumn(BaseModel):
    """A feature, and the values of its column that the model takes.

    Numbers lie from `lowest` to `largest`, and are `whole` if the model's tensor is. `missing` are
    texts that mean a missing value. A date becomes several numbers, its days and its parts, so the
    model gets `width` numbers.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ColumnKind
    nullable: bool = False
    missing: list[str] = []
    lowest: float = -sys.float_info.max  # JSON has no infinity
    largest: float = sys.float_info.max
    whole: bool = False
    width: int = 1

    @property
    def is_number(self) -> bool:
        """Whether the value is a number to the model, as booleans and dates are."""
        return self.kind not in ("text", "category")


class TableLayout(BaseModel):
    """The features of a model in its order, the `chosen` columns, and the columns of the answer.

    `labels` are those of a classifier. With `probabilities`, each has a column.
    """

    model_config = ConfigDict(frozen=True)

    features: list[ScoredColumn]
    chosen: list[str] = []
    labels: list[Label] | None = None
    probabilities: bool = False
    format: ResultFormat = "csv"

    def for_request(self, asked: BatchOptions) -> Self:
        """Return the layout with the columns, format and probabilities that are asked for."""
        return self.model_copy(
            update={
                "chosen": asked.columns,
                "format": asked.format,
                "probabilities": self.probabilities and asked.probabilities is not False,
            }
        )

    @property
    def answer_columns(self) -> list[str]:
        """Return the names of the columns behind the chosen ones."""
        keys = label_keys(self.labels or []) if self.probabilities else []
        return [PREDICTION, *(PROBABILITY + key for key in keys)]

    def places(self, header: list[str]) -> dict[str, int]:
        """Return where the columns are, by the names that they have in a part.

        Names are the same in any form of Unicode. Raises `errors.BadData` for a column that is
        missing or there twice, and for one that is named like one of the answer.
        """
        written = [nfc(name) for name in header]
        counts, found = Counter(written), {name: place for place, name in enumerate(written)}
        places: dict[str, int] = {}
        for field, names, part_name in (
            ("model_id", [each.name for each in self.features], feature_name),
            ("columns", self.chosen, chosen_name),
        ):
            if missing := [name for name in names if nfc(name) not in found]:
                raise _missing(field, missing, written)
            for place, name in enumerate(names):
                if counts[nfc(name)] > 1:
                    raise errors.BadData(field, f"the rows have two columns {quoted(name)}")
                places[part_name(place)] = found[nfc(name)]
        if clash := repeated([*self.chosen, *self.answer_columns]):
            raise errors.BadData(
                "columns",
                f"the result has a column {listed(clash)} already, with the answers; rename yours",
            )
        return places

    def texts(self) -> set[str]:
        """Return the columns of a part that hold texts, whatever they look like."""
        kinds = {
            feature_name(place)
            for place, each in enumerate(self.features)
            if not each.is_number or each.kind == "date" or each.missing
        }
        return kinds | {chosen_name(place) for place in range(len(self.chosen))}


def trained_layout(manifest: TrainedManifest) -> TableLayout:
    """Return what a trained model takes and answers."""
    in_float32 = manifest.format < 2 or manifest.estimator in COMPARE_IN_FLOAT32
    most = LARGEST_FLOAT32 if in_float32 else sys.float_info.max
    return TableLayout(
        features=[
            ScoredColumn(
                name=each.name,
                kind=each.type,
                nullable=each.nullable,
                missing=each.missing,
                lowest=-most,
                largest=most,
                width=1 + len(manifest.date_parts) if each.type == "date" else 1,
            )
            for each in manifest.features
        ],
        labels=manifest.labels,
        probabilities=has_columns(manifest.labels) and manifest.probabilities,
    )


def uploaded_layout(spec: OnnxManifest) -> TableLayout:
    """Return what an uploaded model of rows takes and answers, as far as its manifest says."""
    return TableLayout(
        features=[
            ScoredColumn(name=name, kind=each.type, nullable=each.nullable)
            for name, each in spec.input_of_feature.items()
        ],
        labels=spec.labels,
        probabilities=has_columns(spec.labels),
    )


def endpoint_scores_no_table(model_id: str) -> errors.Invalid:
    """Return the error of a batch job for an endpoint."""
    return errors.Invalid(
        "model_id",
        f"model {model_id} is an endpoint, and batch jobs run trained and uploaded models only; "
        "send its rows to POST /predict/async",
    )


def has_columns(labels: object) -> bool:
    """Tell whether each label can have a column of its own in a result."""
    return isinstance(labels, list) and len(labels) <= MAX_LABELS


def feature_name(place: int) -> str:
    """Return the name of a feature's column in a part."""
    return f"feature-{place}"


def chosen_name(place: int) -> str:
    """Return the name of a chosen column in a part."""
    return f"chosen-{place}"


def _missing(field: str, missing: list[str], header: list[str]) -> errors.BadData:
    found = nearest(missing[0], header)
    meant = f" (did you mean {quoted(found)}?)" if found is not None else ""
    needs = "the model needs" if field == "model_id" else "the result is to have"
    return errors.BadData(
        field,
        f"the rows have no column {listed(missing)}{meant}, which {needs}; they have "
        f"{listed(header)}",
    )
