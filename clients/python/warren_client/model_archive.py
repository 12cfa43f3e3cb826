"""The folder of an MLflow model as one zip archive."""

import shutil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from warren_client.errors import Unsendable

MLMODEL = "MLmodel"


def zipped(model: Path, place: Path) -> Path:
    """Return the path of a zip archive: the model itself, or that of its folder, made in `place`.

    Raises `Unsendable` if it is no model of MLflow, and `OSError`.
    """
    if model.suffix == ".onnx":
        raise Unsendable(f"{model} is an ONNX file, which needs a manifest")
    if not model.is_dir():
        return model
    if not (model / MLMODEL).is_file():
        raise Unsendable(f"{model} is no folder of an MLflow model: it has no file {MLMODEL}")
    archive = place / "model.zip"
    _zip(model, archive)
    return archive


def _zip(folder: Path, target: Path) -> None:
    """Write the files of a folder into an archive: the same bytes for the same files."""
    with ZipFile(target, "w") as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            # It is dated 1980, whatever the date of the file is.
            member = ZipInfo(path.relative_to(folder).as_posix())
            member.compress_type = ZIP_DEFLATED
            member.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(member, "w") as written:
                shutil.copyfileobj(source, written)
