import os

from app.children.machine_memory import machine_memory
from app.children.process_memory import resident_memory


def test_the_memory_of_a_process_is_part_of_the_machines():
    assert 1_000_000 < resident_memory(os.getpid()) < machine_memory()


def test_a_process_that_has_ended_takes_no_memory():
    assert resident_memory(2**30) == 0
