"""Check a batch job before it is accepted: its model, and the columns of its table."""

from app import errors
from app.inference.table_layout import (
    MAX_LABELS,
    TableLayout,
    endpoint_scores_no_table,
    trained_layout,
    uploaded_layout,
)
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.record import ModelRecord
from app.protocol.batch_request import BatchOptions
from app.storage.model_files import ModelStore


def checked_layout(
    record: ModelRecord, manifests: ModelStore, options: BatchOptions
) -> TableLayout:
    """Return the layout: the columns that the model takes of a table, and those of the result.

    Raises `errors.Invalid` for a model that scores no tables, and for probabilities that it cannot
    give. Also raises the errors of `manifests`.
    """
    spec = record.spec
    if isinstance(spec, EndpointSpec):
        raise endpoint_scores_no_table(record.model_id)
    if isinstance(spec, OnnxManifest):
        if spec.image:
            raise errors.Invalid(
                "model_id", f"model {record.model_id} takes images, and a table holds none"
            )
        layout = uploaded_layout(spec)
    else:
        layout = trained_layout(manifests.get_manifest(record.require_file().key))
    if options.probabilities and not layout.probabilities:
        raise errors.Invalid("probabilities", _no_probabilities(record.model_id, layout))
    return layout.for_request(options)


def _no_probabilities(model_id: str, layout: TableLayout) -> str:
    if layout.labels is None:
        return f"model {model_id} predicts numbers, which have no probabilities; leave it out"
    if len(layout.labels) > MAX_LABELS:
        return (
            f"model {model_id} has {len(layout.labels):,} labels; a result has a column for each "
            f"of {MAX_LABELS} at most; leave it out"
        )
    return f"model {model_id} answers labels without probabilities; leave it out"
