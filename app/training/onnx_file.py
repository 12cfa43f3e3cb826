"""Write ONNX files that hold a manifest."""

from collections.abc import Iterable
from pathlib import Path

from onnx import ModelProto

from app.models.manifest import METADATA_KEY, TrainedManifest


def write_onnx(path: Path, parts: Iterable[bytes]) -> int:
    """Write the parts of a file without a manifest; return its size in bytes."""
    with path.open("wb") as file:
        file.writelines(parts)
        return file.tell()


def write_manifest(path: Path, size: int, manifest: TrainedManifest) -> None:
    """Write the manifest behind the `size` bytes of the model, in place of one that is there.

    Two concatenated protobuf messages are parsed as one merged message.
    """
    properties = ModelProto()
    properties.metadata_props.add(key=METADATA_KEY, value=manifest.model_dump_json())
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(properties.SerializeToString())
