"""The examples, as a reader runs them."""

import os
import re
import subprocess
import sys

import pytest

from devstack import ports
from devstack.layout import ROOT
from tests.support.child import child
from tests.system.conftest import Running
from tests.system.support.processes import trusted

SETTINGS = {"INVOKE_HOSTS": "127.0.0.1"}
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def run(running: Running, name: str, *options: str, seconds: float = 110) -> str:
    """Run an example to its end; return what it printed."""
    environment = {key: running.stack.environment[key] for key in KEYS}
    environment |= trusted(running.stack.environment)
    url = str(running.http.base_url)
    with child(
        [sys.executable, "-m", f"examples.{name}.run", "--url", url, *options],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said, complaint = process.communicate(timeout=seconds)
    assert process.returncode == 0, said + complaint
    return str(said)


def test_forests_in_parallel(running: Running) -> None:
    said = run(running, "tabular")

    tables = re.findall(r"^  together +(\d) +(0\.\d\d|1\.00) +\d+\.\d$", said, re.MULTILINE)
    assert [label for label, _ in tables[:2]] == ["0", "1"]
    sure = [float(share) for _, share in tables]
    assert len(sure) == 3
    assert sure[2] < min(sure[:2])  # nobody is sure of a blend
    for forest in ("stumps", "small", "large"):
        assert len(re.findall(rf"^  {forest} +\d ", said, re.MULTILINE)) == 3


@pytest.mark.timeout(600)  # PyTorch is installed, unless it is there
def test_a_cat_in_two_minds(running: Running) -> None:
    said = run(running, "imagenet", seconds=580)

    fast, better = re.findall(r"efficientnet-lite(\d): ([A-Za-z ]+) (0\.\d\d),", said)
    assert fast[:2] == ("0", "tiger cat")
    assert better[:2] == ("2", "Egyptian cat")
    assert float(better[2]) > float(fast[2])
    assert said.rstrip().endswith("They disagree.")

    again = run(running, "imagenet")
    assert "PyTorch" not in again
    assert again.rstrip().endswith("They disagree.")


def test_a_remote_model_with_two_instances(running: Running) -> None:
    (port,) = ports.unused(1)
    options = ("--port", str(port), "--seconds", "0.5")
    said = run(running, "remote", *options)

    took = [float(each) for each in re.findall(r"call \d: +([\d.]+) s, \d \+ 1 = \d", said)]
    (whole,) = re.findall(r"all: +([\d.]+) s", said)
    assert len(took) == 4
    assert min(took) >= 0.5
    assert 1.0 <= float(whole) < 4 * 0.5 + 10  # two rounds, and a busy machine

    run(running, "remote", *options)  # the same model again


def test_an_endpoint_that_nobody_allowed_is_not_called(running: Running) -> None:
    _, http = running.stack.producer(INVOKE_HOSTS="")
    (port,) = ports.unused(1)
    url = ("--url", str(http.base_url), "--port", str(port))
    with pytest.raises(AssertionError, match=r"echo INVOKE_HOSTS=127\.0\.0\.1 >> \.run/env"):
        run(running, "remote", *url)


def test_a_server_of_the_inference_protocol_passes_all_checks(
    running: Running, model_id: str
) -> None:
    said = run(running, "oip_conformance", "--model", model_id)

    passed = re.search(r"^(\d+) of (\d+) passed$", said, re.MULTILINE)
    assert passed
    assert passed[1] == passed[2]
    page = (ROOT / "docs" / "oip.md").read_text()
    assert said.strip() in page, "docs/oip.md has another result"
