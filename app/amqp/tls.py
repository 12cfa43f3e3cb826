"""TLS to RabbitMQ: the context of a connection, and what is said when it fails."""

import ssl

from pika.exceptions import IncompatibleProtocolError

from app import errors
from app.settings import Settings
from app.tls import tls_fault

_SETTINGS = "RABBITMQ_PORT, RABBITMQ_TLS and RABBITMQ_CERTIFICATE_FILE"


def client_context(settings: Settings) -> ssl.SSLContext | None:
    """Return a context that checks the broker's certificate and host name, or None without TLS.

    It reads the files anew, so that they may be replaced while the process runs. Raises
    `errors.BrokerUnavailable`, which names the setting, for a file that is no good.
    """
    if settings.rabbitmq_tls == "off":
        return None
    name, path, wanted = "RABBITMQ_CA_FILE", settings.rabbitmq_ca_file, "no certificate"
    try:
        context = ssl.create_default_context(cafile=path or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate := settings.rabbitmq_certificate_file:
            key = settings.rabbitmq_key_file
            name, path = "RABBITMQ_CERTIFICATE_FILE", certificate
            if key:
                name, path = f"{name}, RABBITMQ_KEY_FILE", f"{certificate}, {key}"
            wanted = "no certificate with its key, which has no passphrase"
            # Without a passphrase here, OpenSSL would ask the terminal for one.
            context.load_cert_chain(certificate, key or None, password="")
    except OSError as error:
        why = f"it holds {wanted}, in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise errors.BrokerUnavailable(f"{name}: {path} cannot be used: {why}") from None
    return context


def reason(error: BaseException) -> str:
    """Return why a connection to the broker failed, for logs and users."""
    if isinstance(error, errors.WarrenError):
        return error.detail
    if isinstance(error, IncompatibleProtocolError):
        return f"the broker ends the connection at once: look at {_SETTINGS} ({error!r})"
    fault = tls_fault(
        error, "RABBITMQ_HOST and RABBITMQ_PORT", "RABBITMQ_CA_FILE", "RABBITMQ_CERTIFICATE_FILE"
    )
    return f"TLS with the broker fails: {fault}" if fault else repr(error)
