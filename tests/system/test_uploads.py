"""A data set is never held in memory, however long it is."""

import sys
from collections.abc import Iterator
from hashlib import sha256

import pytest

from tests.system.support.processes import Stack

LINE = b"1234567.25,7654321.5\n"
CHUNK = LINE * 50_000  # 1 MB
CHUNKS = 100
HEADER = b"a,b\n"
DIALECT = {
    "delimiter": ",",
    "decimal": ".",
    "thousands": None,
    "encoding": "utf-8",
    "compression": None,
    "skipped_lines": 0,
    "line_end": "lf",
    "index": None,
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of the memory from /proc")
def test_a_chunked_upload_passes_through_the_producer(stack: Stack) -> None:
    producer, http = stack.producer()

    def put(chunks: int) -> dict[str, object]:
        def content() -> Iterator[bytes]:
            yield HEADER
            for _ in range(chunks):
                yield CHUNK

        return dict(http.put("/datasets/large", content=content()).json())

    put(10)  # whatever it takes once for all, it has now
    before = producer.peak()
    size = len(HEADER) + CHUNKS * len(CHUNK)
    stored = put(CHUNKS)
    assert stored == {
        "dataset_id": "large",
        "version": sha256(HEADER + CHUNKS * CHUNK).hexdigest(),
        "columns": ["a", "b"],
        "rows": CHUNKS * 50_000,
        "size": size,
        "format": "csv",
        "dialect": DIALECT,
        "warnings": [],
    }
    assert producer.peak() - before < size / 4
    (listed,) = http.get("/datasets").json()["datasets"]
    assert (listed["size"], listed["version"]) == (size, stored["version"])
