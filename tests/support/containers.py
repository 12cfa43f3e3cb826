"""The compose file and the Dockerfiles, as a parser reads them."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def dockerfile(service: str) -> list[str]:
    """Return the instructions of the image that a service builds, without comments."""
    text = (ROOT / SERVICES[service]["build"] / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def health_check(service: str, **replaced: str) -> list[str]:
    """Return the command of a health check, as it runs in the container.

    `replaced` maps a port of the container, as `p5672`, to one of this machine.
    """
    kind, *command = SERVICES[service]["healthcheck"]["test"]
    command = [word.replace("$$", "$") for word in command]
    for port, other in replaced.items():
        command = [word.replace(port.removeprefix("p"), other) for word in command]
    return command if kind == "CMD" else ["sh", "-c", *command]
