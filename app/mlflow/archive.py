"""Look into the zip archive of an MLflow model folder, which may be hostile."""

import stat
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError  # noqa: N812  it is a class

from app import errors
from app.protocol.wording import quoted

MLMODEL = "MLmodel"
MAX_ENTRIES = 1000
MAX_MLMODEL = 1_000_000  # bytes; a signature of 10,000 columns has 700,000
PIECE_BYTES = 1_000_000
_ENCRYPTED = 1  # a flag of a member
_UNREADABLE = (BadZipFile, ZlibError, EOFError, NotImplementedError, OSError, ValueError)


def open_archive(file: IO[bytes]) -> ZipFile:
    """Open an archive whose names are checked. Raises `errors.Invalid`."""
    try:
        archive = ZipFile(file)
    except _UNREADABLE:
        raise errors.Invalid("body", "it is not a readable zip archive") from None
    _check_members(archive.infolist())
    return archive


def find_folder(names: list[str]) -> str:
    """Return the path of the folder with `MLmodel`: "", or the only folder at the top and "/".

    Raises `errors.Invalid`.
    """
    if MLMODEL in names:
        return ""
    tops = {name.partition("/")[0] for name in names}
    if len(tops) == 1 and f"{(top := tops.pop())}/{MLMODEL}" in names:
        return f"{top}/"
    raise errors.Invalid(
        "body",
        f"it has no file {MLMODEL} at its top; zip the folder that mlflow.onnx.save_model wrote",
    )


def member_of(archive: ZipFile, name: str) -> ZipInfo:
    """Return a file of an archive. Raises `errors.Invalid` if it is not there."""
    try:
        found = archive.getinfo(name)
    except KeyError:
        raise errors.Invalid("body", f"it has no file {quoted(name)}") from None
    if found.is_dir():
        raise errors.Invalid("body", f"{quoted(name)} is a folder, not a file")
    return found


def copy_member(archive: ZipFile, name: str, target: IO[bytes], limit: int) -> None:
    """Write a file of an archive to `target`.

    Raises `errors.TooLarge` for more than `limit` bytes, whatever the archive says of its size, and
    `errors.Invalid` for a damaged one.
    """
    left = limit
    member = member_of(archive, name)
    if member.file_size > limit:
        raise _too_large(name, limit)
    try:
        with archive.open(member) as source:
            while piece := source.read(PIECE_BYTES):
                if (left := left - len(piece)) < 0:
                    raise _too_large(name, limit)
                _write(target, piece)
    except _UNREADABLE:
        raise errors.Invalid("body", f"the file {quoted(name)} in it is damaged") from None


def _write(target: IO[bytes], piece: bytes) -> None:
    try:
        target.write(piece)
    except OSError as error:
        raise errors.StorageFull(f"the upload cannot be kept: {error.strerror}") from error


def _too_large(name: str, limit: int) -> errors.TooLarge:
    detail = f"the file {quoted(name)} in it is over the limit of {limit} bytes"
    return errors.TooLarge("body", detail, limit=limit)


def _check_members(members: list[ZipInfo]) -> None:
    """Raise `errors.Invalid` for an archive that a model folder cannot be."""
    if len(members) > MAX_ENTRIES:
        raise errors.Invalid("body", f"it has more than {MAX_ENTRIES} files")
    seen: set[str] = set()
    for each in members:
        name = each.filename
        if name in seen:
            raise errors.Invalid("body", f"two files in it are named {quoted(name)}")
        seen.add(name)
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise errors.Invalid("body", f"a file in it is named {quoted(name)}, outside of it")
        if stat.S_ISLNK(each.external_attr >> 16):
            raise errors.Invalid("body", f"{quoted(name)} in it is a link; send files only")
        if each.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise errors.Invalid(
                "body", f"{quoted(name)} in it is packed by another method than deflate"
            )
        if each.flag_bits & _ENCRYPTED:
            raise errors.Invalid("body", "it is encrypted; send it without a password")
