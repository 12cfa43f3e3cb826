import pytest

from app import errors
from app.tables.dialect import Dialect
from app.tables.text_decoder import TextDecoder
from tests.support.packing import gzip_compress

TEXT = "ä;€\r\n1;2\r\n" * 50


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (TEXT.encode(), {}),
        (TEXT.encode("utf-16"), {"encoding": "utf-16"}),
        (TEXT.encode("utf-16-be"), {"encoding": "utf-16-be"}),
        (TEXT.encode("cp1252"), {"encoding": "windows-1252"}),
        (gzip_compress(TEXT.encode("utf-16-le")), {"encoding": "utf-16-le", "compression": "gzip"}),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_text_is_decoded_wherever_it_is_cut(content, dialect, size):
    decoder = TextDecoder(Dialect(**dialect), 10_000)

    pieces = [
        piece
        for at in range(0, len(content), size)
        for piece in decoder.feed(content[at : at + size])
    ]

    assert b"".join([*pieces, *decoder.end()]).decode() == TEXT


def test_a_lone_cr_ends_a_line_where_all_do():
    decoder = TextDecoder(Dialect(line_end="cr"), 100)

    assert b"".join([*decoder.feed(b"a\rb"), *decoder.feed(b"\rc"), *decoder.end()]) == b"a\nb\nc"


@pytest.mark.parametrize(
    ("pieces", "refused"),
    [
        ([b"a,b\n", "\xe4bc,b\n".encode("latin-1")], False),
        ([b"a,b\n", "äbc,b\n".encode()], True),
        ([b"a,b\n1", "ä".encode()[:1], "ä".encode()[1:] + b"123", "ä,€ ".encode()], True),
    ],
)
def test_bytes_of_utf_8_disprove_a_charset_that_clients_say_of_any_text(pieces, refused):
    decoder = TextDecoder(Dialect(encoding="windows-1252"), 100, open_charset=True)

    def decode():
        return b"".join(piece for each in pieces for piece in decoder.feed(each))

    if refused:
        with pytest.raises(errors.Invalid, match="say encoding=utf-8 or encoding=windows-1252"):
            decode()
    else:
        assert decode() == b"".join(pieces).decode("cp1252").encode()
