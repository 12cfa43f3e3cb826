import bz2
import io
import lzma
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest

from app.protocol.content_sniffing import describe, describe_undecodable
from tests.support.packing import gzip_compress


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "text")
    return file.getvalue()


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


TEXT = "größe,target\n1,2\n"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            gzip_compress(b"a,b"),
            "by gzip; name that as its content encoding, or decompress it",
        ),
        (b"\x28\xb5\x2f\xfd\x24\x03", "by zstd; decompress it"),
        (bz2.compress(b"a,b"), "by bzip2; decompress it"),
        (lzma.compress(b"a,b"), "by xz; decompress it"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "by 7-Zip; decompress it"),
        (zipped("a.csv"), "it is a ZIP archive; unpack it, and send CSV"),
        (zipped(), "it is a ZIP archive"),
        (zipped("[Content_Types].xml"), "it is an Excel workbook (xlsx); save it as CSV"),
        (zipped("docProps/app.xml"), "it is an Excel workbook (xlsx); save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "it is an Excel workbook (xls); send CSV"),
        (b"PAR1\x15\x04\x15\x18", "it is a Parquet file; send CSV"),
        (b"ARROW1\0\0", "it is an Arrow file"),
        (b"Obj\x01\x04", "it is an Avro file"),
        (b"\x89HDF\r\n\x1a\n", "it is an HDF5 file"),
        (saved(np.arange(3)), "it is a NumPy file"),
        (pickle.dumps(pd.DataFrame({"a": [1]})), "it is a pickle"),
        (b"SQLite format 3\0", "it is an SQLite database"),
        (b"%PDF-1.7\n%\xe2\xe3", "it is a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "it is a PNG image"),
        (b"\xff\xd8\xff\xe0", "it is a JPEG image"),
        (b"\n<!doctype HTML><html>", "it is an HTML page"),
        (b"<html>\n", "it is an HTML page"),
        (b'<?xml version="1.0"?>', "it is an XML document"),
        (TEXT.encode("utf-16"), "its text is UTF-16; save it as UTF-8"),
        (TEXT.encode("utf-16-le"), "its text is UTF-16"),
        (TEXT.encode("utf-16-be"), "its text is UTF-16"),
        ("имя,цель\n1,2\n".encode("utf-16-le"), "its text is UTF-16"),
        (TEXT.encode("utf-32"), "its text is UTF-32; save it as UTF-8"),
        (TEXT.encode("utf-32-le"), "its text is UTF-32"),
        (TEXT.encode("utf-32-be"), "its text is UTF-32"),
        ("имя,цель\n1,2\n".encode("utf-32-le"), "its text is UTF-32"),
        (b"a,b\n1,\0\n", "it has a NUL byte, so it is not text; send CSV"),
        (bytes(5000), "it has a NUL byte"),
    ],
)
def test_bytes_that_are_no_text_are_named(body, says):
    assert says in (describe(body, "CSV") or "")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"a", b"ab", b"abc", b"a,b\n1,2\n", b"\xef\xbb\xbfa,b\n", TEXT.encode()),
        *(b"PAR1,PAR2\n1,2\n", b"PAR1\n1\n", b"BZh,b\n", b"PK,b\n", b"Obj,b\n", b"<b>,c\n"),
        *(b"x" * 4096 + b"\0", TEXT.encode("latin-1")),
    ],
)
def test_what_may_be_text_has_no_other_name(body):
    assert describe(body, "CSV") is None


@pytest.mark.parametrize(
    ("data", "lines", "says"),
    [
        ("größe,b\n".encode("cp1252"), 0, "line 1 has the byte F6, which is not UTF-8 there"),
        ("a\nb\n1 \u20ac,".encode("cp1252"), 7, "line 10 has the byte 80"),
        ("größe,b\n".encode("cp1252"), 0, "seems to be Windows-1252 or Latin-1; save it as UTF-8"),
        ("ä\n".encode("cp1252"), 0, "seems to be Windows-1252"),
        ("Москва".encode("cp1251"), 0, "line 1 has the byte CC, which is not UTF-8 there; save it"),
        ("a\nö".encode()[:-1], 0, "line 2 ends within a character; the text was cut off"),
    ],
)
def test_text_in_another_encoding_is_told_with_its_line(data, lines, says):
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode()

    assert says in describe_undecodable(caught.value, lines)
