"""The settings of RabbitMQ: the address, and the logins of each kind of process."""

from typing import Annotated, Literal, Self, get_args

from annotated_types import Unit
from pydantic import Field, SecretStr, model_validator

from app.settings.checks import Port
from app.settings.tls import TlsSettings

Process = Literal["producer", "consumer", "tools"]  # those that may have users of their own


class BrokerSettings(TlsSettings):
    """The broker."""

    rabbitmq_host: str = Field("127.0.0.1", description="The broker's host.")
    rabbitmq_port: Port = Field(5672, description="The broker's AMQP port.")
    rabbitmq_user: str = Field("guest", description="The broker's user.")
    rabbitmq_password: SecretStr = Field(
        SecretStr("guest"), description="The password of the broker's user."
    )
    rabbitmq_producer_user: str | None = Field(
        None,
        description="The user that the producer has instead, with the rights that it needs. "
        "Likewise below.",
    )
    rabbitmq_producer_password: SecretStr | None = Field(
        None, description="The password of the producer's user."
    )
    rabbitmq_consumer_user: str | None = Field(
        None, description="The user that consumers have instead."
    )
    rabbitmq_consumer_password: SecretStr | None = Field(
        None, description="The password of the consumers' user."
    )
    rabbitmq_tools_user: str | None = Field(
        None, description="The user that the operator's commands have instead."
    )
    rabbitmq_tools_password: SecretStr | None = Field(
        None, description="The password of the commands' user."
    )
    rabbitmq_vhost: str = Field("/", description="The broker's virtual host.")
    rabbitmq_management_port: Port = Field(
        15672,
        description="The port of the broker's management API, which only the operator's commands "
        "use.",
    )
    rabbitmq_heartbeat: Annotated[int, Unit("seconds")] = Field(
        10,
        ge=1,  # because 0 turns off the detection of dead peers
        description="The heartbeat interval. A vanished peer is noticed after two intervals.",
    )

    amqp_services: str = Field(
        "warren-producer,warren-consumer",
        description="The broker's users of producers and consumers, separated by commas, besides "
        "that of the consumer itself. Their messages may act for every owner.",
    )
    amqp_owners: str = Field(
        "",
        description="The owners for whom the broker's other users act, and their scopes, as "
        "`user=owner:predict+train`, separated by commas. A user `wrn-client-` and an owner's name "
        "may predict and train for this owner without it.",
    )

    @property
    def rabbitmq_external(self) -> bool:
        """Whether the broker takes the user from the client certificate (SASL EXTERNAL)."""
        given = "rabbitmq_password" in self.model_fields_set
        password = self.rabbitmq_password.get_secret_value() if given else ""
        return bool(self.rabbitmq_certificate_file) and not password

    @model_validator(mode="after")
    def _check_logins(self) -> Self:
        for role in get_args(Process):
            user, password, certificate = self._login(role)
            if user and not (password or certificate):
                name = f"RABBITMQ_{role.upper()}"
                raise ValueError(f"{name}_USER has no password: set {name}_PASSWORD, too")
            if certificate and not user:
                name = f"RABBITMQ_{role.upper()}"
                raise ValueError(f"{name}_CERTIFICATE_FILE has no user: set {name}_USER, too")
        if self.rabbitmq_external and "rabbitmq_user" not in self.model_fields_set:
            raise ValueError("RABBITMQ_CERTIFICATE_FILE has no user: set RABBITMQ_USER, too")
        return self

    def acting_as(self, process: Process) -> Self:
        """Return the settings of a kind of process: with its login to the broker, if it has one."""
        user, password, certificate = self._login(process)
        if not user:
            return self
        login = {"rabbitmq_user": user, "rabbitmq_password": SecretStr(password)}
        own = {"rabbitmq_certificate_file": certificate, "rabbitmq_key_file": ""}
        return self.model_copy(update=login | (own if certificate else {}))

    def _login(self, process: Process) -> tuple[str, str, str]:
        """Return the user, the password and the file of the certificate; each may be empty."""
        prefix = f"rabbitmq_{process}"
        password = getattr(self, f"{prefix}_password")
        return (
            getattr(self, f"{prefix}_user") or "",
            password.get_secret_value() if password else "",
            getattr(self, f"{prefix}_certificate_file", ""),  # the commands have none of their own
        )
