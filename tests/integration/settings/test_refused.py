"""What a process says of wrong settings when it starts."""

import os
import subprocess
import sys

import pytest

WRONG = [
    ({"AUTH": "maybe"}, ["AUTH: Input should be 'on', 'off' or ''"]),
    (
        {"AUTH": "maybe", "PORT": "many"},
        ["PORT: Input should be a valid integer", "AUTH: Input should be"],
    ),
    ({"RABBITMQ_CA_FILE": "/nowhere"}, ["RABBITMQ_CA_FILE has no effect"]),
    ({"AWS_SECRET_ACCESS_KEY_FILE": "/nowhere"}, ["AWS_SECRET_ACCESS_KEY_FILE: /nowhere"]),
    ({"INVOKE_SECRETS": "the secret"}, ["invoke_secrets"]),
]


@pytest.mark.parametrize(("given", "lines"), WRONG)
@pytest.mark.parametrize("module", ["app.producer.main", "app.consumer.consumer"])
def test_a_process_names_the_wrong_settings_without_a_traceback(module, given, lines):
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}

    ended = subprocess.run(
        [sys.executable, "-m", module],
        env=inherited | given,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    said = ended.stderr.splitlines()
    assert len(said) == len(lines)
    assert all(
        line.lower().find(start.lower()) >= 0 for line, start in zip(said, lines, strict=True)
    )
    assert "the secret" not in ended.stderr
