import os
import resource

import pytest

from app.children.machine_memory import machine_memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
NO_LIMIT_OF_VERSION_1 = 2**63 - 4096


@pytest.fixture
def memory_of(tmp_path):
    """Return the memory of a process in a cgroup, of which files have limits."""

    def measure(membership, limits):
        for name, limit in limits.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{limit}\n")
        (tmp_path / "membership").write_text(membership)
        return machine_memory(tmp_path / "cgroup", tmp_path / "membership")

    return measure


@pytest.mark.parametrize(
    ("membership", "limits", "memory"),
    [
        # of a container, whose own cgroup is the root of what it sees
        ("0::/\n", {"memory.max": 5_000_000}, 5_000_000),
        # of a service of the machine, and of the slice that it is in
        ("0::/a.slice/b.service\n", {"a.slice/b.service/memory.max": 5_000_000}, 5_000_000),
        ("0::/a.slice/b.service\n", {"a.slice/memory.max": 4_000_000}, 4_000_000),
        (
            "0::/a.slice/b.service\n",
            {"a.slice/memory.max": 4_000_000, "a.slice/b.service/memory.max": "max"},
            4_000_000,
        ),
        ("0::/a\n", {"other/memory.max": 5_000_000}, MACHINE),
        ("0::/a\n", {"a/memory.max": "max"}, MACHINE),
        ("0::/a\n", {"a/memory.max": MACHINE * 2}, MACHINE),
        # of version 1; a container sees its own cgroup as the root, under another path
        ("4:memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": 3_000_000}, 3_000_000),
        ("4:memory:/docker/c\n", {"memory/memory.limit_in_bytes": 3_000_000}, 3_000_000),
        ("4:memory:/a\n", {"memory/memory.limit_in_bytes": NO_LIMIT_OF_VERSION_1}, MACHINE),
        ("3:cpu:/a\n", {"memory/a/memory.limit_in_bytes": 3_000_000}, MACHINE),
    ],
)
def test_the_least_limit_of_the_cgroups_counts(memory_of, membership, limits, memory):
    assert memory_of(membership, limits) == memory


def test_without_cgroups_it_is_the_memory_of_the_machine(tmp_path):
    assert machine_memory(tmp_path, tmp_path / "nothing") == MACHINE
