"""The inputs of a model, for requests that name no columns."""

from dataclasses import dataclass
from typing import Literal

from app import errors
from app.concurrency import run_in_thread
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.producer.services import Services
from app.protocol.column_types import ColumnKind
from app.protocol.prediction_fields import Extra

ColumnType = ColumnKind | Literal["any"]


@dataclass(frozen=True)
class ModelInputs:
    """The inputs of a model: images, or columns with their types, in the model's order.

    `columns` is None if they are not known, which only happens with a remote model. With `extra`
    "ignore", a row may have further columns.
    """

    model_id: str
    columns: dict[str, ColumnType] | None
    images: bool = False
    extra: Extra | None = None

    def takes_images(self) -> errors.Invalid:
        """Return the error of rows for a model of images."""
        return errors.Invalid("body", f"model {self.model_id} takes images, not rows")

    def in_order(self) -> list[str]:
        """Return the names of the columns. Raises `errors.Invalid` if they are not known."""
        if self.images:
            raise self.takes_images()
        if self.columns is None:
            raise errors.Invalid(
                "body",
                f"the order of the columns of model {self.model_id} is not known: name them in "
                "each row, or in a first line of CSV with `Content-Type: text/csv; header=present`",
            )
        return list(self.columns)


async def inputs_of(
    services: Services, model_id: str, dataset_id: str | None, *, extra: Extra | None
) -> ModelInputs:
    """Return the inputs of a model, whose id may be `latest`. Raises the errors of the registry."""
    record = await run_in_thread(services.models.get, model_id, dataset_id)
    columns: dict[str, ColumnType] | None
    images = False
    match record.spec:
        case OnnxManifest() as spec:
            columns = {name: each.type for name, each in spec.input_of_feature.items()}
            images = spec.image is not None
        case EndpointSpec() as spec:
            columns = None if spec.sample is None else dict.fromkeys(spec.sample, "any")
            images = spec.sample is None and spec.image_sample is not None
        case _:
            key = record.require_file().key
            manifest = await run_in_thread(services.model_files.get_manifest, key)
            columns = {each.name: each.type for each in manifest.features}
    return ModelInputs(record.model_id, columns, images, extra)
