"""What the loader of an export reads: `model.json`, which says how rows become answers."""

from typing import Any

from app.inference.runtime import PIPELINE_ROWS, rows_at_a_time
from app.inference.skops_types import TRUSTED
from app.inference.table_layout import PREDICTION, PROBABILITY, trained_layout
from app.models.manifest import OnnxManifest, TrainedManifest
from app.protocol.label_keys import Label, label_keys


def describe_trained(manifest: TrainedManifest, file: str) -> dict[str, Any]:
    """Return the description of a trained model, whose `file` has this name in the export."""
    pipeline = manifest.runtime == "scikit-learn"
    rows = rows_at_a_time(manifest.row_bytes)
    return {
        "kind": "trained",
        "file": file,
        "format": manifest.format,
        "task": manifest.task,
        "features": [
            {
                "name": each.name,
                "type": each.kind,
                "nullable": each.nullable,
                "missing": each.missing,
                "largest": each.largest,
            }
            for each in trained_layout(manifest).features
        ],
        "date_parts": manifest.date_parts,
        "labels": manifest.labels,
        "probabilities": manifest.labels is not None and manifest.probabilities,
        "columns": answer_columns(manifest.labels, probabilities=manifest.probabilities),
        "rows": min(rows, PIPELINE_ROWS) if pipeline else rows,
        **({"trusted": TRUSTED} if pipeline else {}),
    }


def describe_uploaded(spec: OnnxManifest, file: str) -> dict[str, Any]:
    """Return the description of an uploaded model of rows, without its further outputs."""
    told = spec.model_dump(mode="json", include={"inputs", "output", "labels"})
    columns = answer_columns(spec.labels, probabilities=True)
    return {"kind": "uploaded", "file": file, **told, "columns": columns}


def answer_columns(labels: list[Label] | None, *, probabilities: bool) -> list[str]:
    """Return the columns of an answer: those of a batch job, and of any number of labels."""
    shown = label_keys(labels) if labels is not None and probabilities else []
    return [PREDICTION, *(PROBABILITY + key for key in shown)]
