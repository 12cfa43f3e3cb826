"""What is wrong with the broker: `python -m app.cli.broker doctor`, or `warren doctor`."""

import click

from app.amqp.doctor import examine, read_state
from app.amqp.management import ManagementApi
from app.amqp.permissions import Role
from app.auth.amqp_owners import parse_owners
from app.cli.commands import JSON, Command, print_object, read_settings
from app.observability import logs
from app.settings import Settings

SERVICES = (Role.PRODUCER, Role.CONSUMER, Role.TOOLS)


@click.command(cls=Command)
@JSON
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Report users with more rights than they need, and missing queues.

    Asks RabbitMQ's management API, as the user of RABBITMQ_TOOLS_USER, who has to be an
    administrator. Exits with status 1 if something is wrong.
    """
    logs.configure("WARNING")
    settings = read_settings()
    state = read_state(api_of(settings), settings.rabbitmq_vhost)
    # One that may write the default exchange could act for the owner `default`, too.
    clients = dict.fromkeys(parse_owners(settings.amqp_owners), Role.CLIENT)
    found = examine(state, {**clients, **services_of(settings)})
    if as_json:
        print_object({"problems": found})
        context.exit(1 if found else 0)
    for line in found:
        click.echo(line)
    if found:
        raise click.ClickException(f"{len(found)} things are wrong")
    click.echo("nothing is wrong")


def api_of(settings: Settings) -> ManagementApi:
    """Return the management API, as the tools' user."""
    return ManagementApi(settings.acting_as("tools"))


def services_of(settings: Settings) -> dict[str, Role]:
    """Return the roles of the services' users by their names."""
    named = {role: getattr(settings, f"rabbitmq_{role}_user") for role in SERVICES}
    return {name or f"warren-{role}": role for role, name in named.items()}
