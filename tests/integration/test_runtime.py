import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import resource, sys
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from app import runtime
runtime.raise_open_file_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [((256, 9000), (8192, 9000)), ((256, 1024), (1024, 1024)), ((8500, 9000), (8500, 9000))],
)
def test_the_limit_of_open_files_is_raised_as_far_as_may_be(before, after):
    command = [sys.executable, "-c", CODE, *map(str, before)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert tuple(map(int, said.stdout.split())) == after


PRIORITY = """
import os
from app.runtime import lower_priority
lower_priority(3)
lower_priority(4)
print(os.nice(0), os.getsid(0) == os.getpid(), open("/proc/self/autogroup").read())
"""


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="Linux schedules no sessions as groups"
)
def test_a_lower_priority_counts_in_a_session_of_its_own():
    command = ["nice", "-n", "1", sys.executable, "-c", PRIORITY]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    nice, leads, autogroup = said.stdout.split(maxsplit=2)
    assert (nice, leads) == ("8", "True")
    assert autogroup.endswith("nice 8\n\n")


TIME = """
from app.runtime import limit_resources
limit_resources(2_000_000_000, 1)
while True:
    pass
"""


def test_the_signal_tells_that_a_process_took_too_much_processor_time():
    ended = subprocess.run([sys.executable, "-c", TIME], check=False, timeout=60)
    assert ended.returncode == -signal.SIGXCPU


STARTED = """
import gc, runpy, sys
searches = []
gc.callbacks.append(lambda phase, info: searches.append(info["generation"]))
try:
    runpy.run_module(sys.argv.pop(), run_name="__main__")
except SystemExit as ended:
    print(bool(ended.code), [each for each in searches if each == 2])
"""


@pytest.mark.parametrize("module", ["app.producer.main", "app.consumer.consumer"])
def test_a_process_starts_without_a_search_for_garbage_among_all_it_has_imported(module):
    command = [sys.executable, "-c", STARTED, module]
    environment = os.environ | {"RABBITMQ_PORT": "wrong, so that it ends"}
    said = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=100
    )
    assert said.stdout == "True []\n"


SEARCHING = """
import gc
from app import runtime
gc.disable()
runtime.collect_garbage_rarely()
print(gc.isenabled(), gc.get_threshold()[0] == runtime.GC_THRESHOLD, gc.get_freeze_count() > 0)
"""


def test_garbage_is_searched_for_from_the_end_of_the_start_on_but_rarely():
    command = [sys.executable, "-c", SEARCHING]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "True True True\n"
