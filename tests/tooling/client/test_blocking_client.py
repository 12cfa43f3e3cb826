"""The blocking client is what `python -m devstack.blocking_client` writes."""

from devstack.blocking_client import TARGET, blocking, written


def test_it_is_as_it_would_be_written_now():
    for path, text in written():
        assert path.read_text() == text, f"{path.name}: run python -m devstack.blocking_client"
    kept = {"__init__.py", "primitives.py"}
    assert {path.name for path in TARGET.glob("*.py")} == {
        path.name for path, _ in written()
    } | kept


def test_only_the_words_of_waiting_differ():
    source = "async def a(self) -> AsyncJob:\n    return await self.aclose()  # asynchronous\n"
    assert blocking(source) == "def a(self) -> Job:\n    return self.close()  # blocking\n"
