"""docs/security.md names tests that exist."""

import re

import pytest

from devstack.layout import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
WRITTEN = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
TESTS = sorted(set(re.findall(r"(?<!\w)(test_\w+)(?!\.py|\w)", PAGE)))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[a-z_/]+\.py)", PAGE))))
def test_the_files_of_tests_exist(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("name", TESTS)
def test_the_names_of_tests_exist(name: str) -> None:
    assert f"def {name}" in WRITTEN  # a name may be the begin of several
