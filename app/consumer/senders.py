"""The senders that the settings of a consumer name."""

import click

from app import errors
from app.auth.amqp_owners import parse_owners
from app.consumer.message_identity import Senders
from app.settings import Settings


def senders_of(settings: Settings) -> Senders:
    """Return the senders that the settings name. Raises `click.ClickException`."""
    services = {each.strip() for each in settings.amqp_services.split(",")}
    try:
        return Senders(settings.rabbitmq_user, services, parse_owners(settings.amqp_owners))
    except errors.Invalid as error:
        raise click.ClickException(error.detail) from None
