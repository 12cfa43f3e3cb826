"""Resolve an endpoint to the address, headers and credentials of its calls."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from multidict import CIMultiDict
from yarl import URL

from app import errors
from app.models.endpoint import EndpointSpec
from app.protocol.types import JSON_MEDIA_TYPE
from app.remote.http_transport import IDENTITY
from app.remote.sagemaker import Keys, invocation_url
from app.settings import Settings


@dataclass(frozen=True)
class Target:
    """The URL, the headers and the AWS keys for the calls of a checked endpoint."""

    url: URL
    headers: CIMultiDict[str]
    keys: Keys | None


def resolve_target(spec: EndpointSpec, settings: Settings) -> Target:
    """Check an endpoint and resolve its secrets.

    Raises `errors.Invalid` if INVOKE_HOSTS does not list its host, `errors.EndpointFailed` if its
    address or a secret cannot be used.
    """
    spec.check_host(settings.invoke_hosts)  # again, because the setting may have changed
    url = _parse_url(spec.address)
    if spec.sagemaker:
        url = invocation_url(url, spec.sagemaker.endpoint_name)
    headers = CIMultiDict({"Content-Type": JSON_MEDIA_TYPE, **IDENTITY})
    if spec.secret:
        value = _secret(spec.secret.name, settings)
        headers[spec.secret.header] = f"{spec.secret.prefix}{value}"
    return Target(url, headers, _keys(spec, settings))


def _parse_url(address: str) -> URL:
    """Parse an address; refuse one that urllib, which checked its host, reads differently."""
    try:
        url = URL(address)
    except ValueError:
        raise errors.EndpointFailed("the model's address is not a URL") from None
    parts = urlsplit(address)
    if (url.scheme, url.host, url.explicit_port) != (parts.scheme, parts.hostname, parts.port):
        raise errors.EndpointFailed("the model's address is ambiguous")
    return url


def _secret(name: str, settings: Settings) -> str:
    known = {each.lower(): value for each, value in settings.invoke_secrets.items()}
    value = _revealed(known.get(name))
    variable = f"INVOKE_SECRETS__{name.upper()}"
    if not value:
        raise errors.EndpointFailed(f"{variable} is not set in the consumer's environment")
    if not (value.isascii() and value.isprintable()):
        raise errors.EndpointFailed(f"{variable} has characters that no header may have")
    return value


def _keys(spec: EndpointSpec, settings: Settings) -> Keys | None:
    """Return the AWS keys of an endpoint or of the settings; None if botocore has to find some."""
    if spec.sagemaker and spec.sagemaker.credentials:
        name = spec.sagemaker.credentials
        key_id, colon, key = _secret(name, settings).partition(":")
        if not (key_id and colon and key):
            raise errors.EndpointFailed(
                f"INVOKE_SECRETS__{name.upper()} has to be KEY_ID:SECRET_KEY"
            )
        return key_id, key
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        return settings.aws_access_key_id, settings.aws_secret_access_key.get_secret_value()
    return None


def _revealed(value: Any) -> str:
    return value.get_secret_value() if value else ""
