"""What `make audit` makes of the reports of pip-audit: silence is no success."""

import json

import pytest

from devstack.audit import read_report

WELL = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found on PyPI"}
HARMFUL = {
    "name": "c",
    "version": "2",
    "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}, {"id": "CVE-2", "fix_versions": []}],
}


@pytest.mark.parametrize(
    ("packages", "found", "said"),
    [
        ([WELL], [], "lock: 1 packages were compared"),
        (
            [WELL, HARMFUL],
            ["lock: c 2: CVE-1, fixed in 3", "lock: c 2: CVE-2, fixed in none yet"],
            "lock: 2 packages were compared",
        ),
        (
            [WELL, SKIPPED],
            ["lock: b was not compared: not found on PyPI"],
            "lock: 1 packages were compared",
        ),
        ([SKIPPED, SKIPPED], [], "lock was NOT compared with known vulnerabilities"),
    ],
)
def test_a_report_is_read(packages: list[object], found: list[str], said: str) -> None:
    lines, told = read_report("lock", json.dumps({"dependencies": packages}), "")

    assert lines == found
    assert told.startswith(said)


def test_a_database_that_cannot_be_reached_is_said_and_another_failure_is_a_finding() -> None:
    assert read_report("lock", "", "requests.exceptions.ConnectionError: no such host")[0] == []
    assert "NOT compared" in read_report("lock", "", "x\nrequests.ConnectionError: y")[1]
    assert read_report("lock", "", "error: the lock has no hash")[0] == [
        "lock: pip-audit failed: error: the lock has no hash"
    ]
