"""The broker's users, and what is wrong with it: `python -m app.cli.broker --help`."""

import json
from urllib.parse import quote

import click
from pydantic import SecretStr

from app import errors
from app.amqp.permissions import CLIENT_PREFIX, RIGHTS, Role, owner_of_client
from app.amqp.topology import topology_definitions
from app.amqp.users import User, new_password, password_hash, user_definitions
from app.auth.audit import Action, Thing, begin
from app.cli.actor import operator
from app.cli.commands import JSON, Commands, read_settings, tell
from app.cli.database import open_database
from app.cli.doctor import api_of, doctor, services_of
from app.observability import logs
from app.protocol.types import OWNER_RULE
from app.settings import Settings

MAX_CONNECTIONS = 20  # of a client's user
MAX_CHANNELS = 100

OWNER = click.argument("owner", metavar="OWNER")


@click.group(cls=Commands)
@click.pass_context
def main(context: click.Context) -> None:
    """Make users of RabbitMQ, and look for what is wrong with it."""
    context.obj = read_settings()
    logs.configure("WARNING")


@main.command()
@JSON
@click.pass_obj
def restore(settings: Settings, as_json: bool) -> None:
    """Make the queues, exchanges and bindings that are missing; the others stay as they are."""
    api_of(settings).call("POST", "definitions", topology_definitions(settings.rabbitmq_vhost))
    tell({"restored": True}, "all queues, exchanges and bindings are there", as_json=as_json)


@main.command()
@click.option("--json", is_flag=True, expose_value=False, help="They are JSON in any case.")
@click.pass_obj
def users(settings: Settings) -> None:
    """Print the users of the services as definitions, to be imported by a broker.

    Their passwords are those of RABBITMQ_PRODUCER_PASSWORD, RABBITMQ_CONSUMER_PASSWORD and
    RABBITMQ_TOOLS_PASSWORD. A user that has only a certificate, such as that of
    RABBITMQ_PRODUCER_CERTIFICATE_FILE, gets no password.
    """
    made = []
    for name, role in services_of(settings).items():
        password = getattr(settings, f"rabbitmq_{role}_password") or SecretStr("")
        certificate = getattr(settings, f"rabbitmq_{role}_certificate_file", "")
        if not (password.get_secret_value() or certificate):
            raise errors.Invalid(f"RABBITMQ_{role.upper()}_PASSWORD", "it is not set")
        made.append(User(role, name, password.get_secret_value()))
    click.echo(json.dumps(user_definitions(made, settings.rabbitmq_vhost), indent=2))


@main.command("add-client")
@OWNER
@click.option("--connections", default=MAX_CONNECTIONS, show_default=True, type=click.IntRange(1))
@JSON
@click.pass_obj
def add_client(settings: Settings, owner: str, connections: int, as_json: bool) -> None:
    """Make the user of a client that acts for an owner, and print its password once.

    A user that exists gets a new password.
    """
    if owner_of_client(f"{CLIENT_PREFIX}{owner}") is None:
        raise click.UsageError(f"OWNER {owner}: {OWNER_RULE}")
    api, user = api_of(settings), User(Role.CLIENT, f"{CLIENT_PREFIX}{owner}", new_password())
    note(settings, Action.CREATE, user.name)
    name, vhost = quote(user.name, safe=""), quote(settings.rabbitmq_vhost, safe="")
    login = {"password_hash": password_hash(user.password), "tags": ""}
    api.call("PUT", f"users/{name}", login)
    limits = {"max-connections": connections, "max-channels": MAX_CHANNELS}
    for limit, value in limits.items():
        api.call("PUT", f"user-limits/{name}/{limit}", {"value": value})
    # Last, because without them the user can do nothing.
    api.call("PUT", f"permissions/{vhost}/{name}", RIGHTS[Role.CLIENT].patterns)
    made = {"user": user.name, "password": user.password}
    tell(made, f"user {user.name}, password {user.password}", as_json=as_json)


@main.command("remove-client")
@OWNER
@JSON
@click.pass_obj
def remove_client(settings: Settings, owner: str, as_json: bool) -> None:
    """Delete the user of a client; the broker closes its connections."""
    name = f"{CLIENT_PREFIX}{owner}"
    note(settings, Action.DELETE, name)
    api_of(settings).call("DELETE", f"users/{quote(name, safe='')}")
    tell({"user": name}, f"{name} is deleted", as_json=as_json)


def note(settings: Settings, action: Action, user: str) -> None:
    """Write into the audit log what is done to a user. Raises `errors.DatabaseUnavailable`."""
    engine = open_database(settings)
    try:
        begin(engine, operator(), action, Thing.USER, user)
    finally:
        engine.dispose()


main.add_command(doctor)

if __name__ == "__main__":
    main()
