"""The settings of an identity provider, whose tokens count beside keys; see `settings`."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings

from app.settings.checks import is_private


def _check_issuer(issuer: str) -> str:
    """Return an issuer as it is written. Raises `ValueError` if no keys could be read from it."""
    if issuer and not is_private(issuer):
        raise ValueError("an issuer begins with https://, because whoever is on the way could sign")
    return issuer


class OpenIdSettings(BaseSettings):
    """The identity provider."""

    oidc_issuer: Annotated[str, AfterValidator(_check_issuer)] = Field(
        "",
        description="The identity provider whose bearer tokens count beside keys, as its tokens "
        "name it in `iss`. It needs the extra `oidc` and `OIDC_AUDIENCE`.",
    )
    oidc_audience: str = Field(
        "", description="The audience of these tokens: what they name in `aud`."
    )
    oidc_scope_claim: str = Field(
        "scope",
        description="The claim that has the scopes of a token, separated by blanks or as a list. "
        "Those that Warren does not know do not count.",
    )
    oidc_owner_claim: str = Field(
        "",
        description="The claim that names the owner for whom a token acts. Without a value, each "
        "token acts for the owner `default`.",
    )

    @model_validator(mode="after")
    def _check_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError(
                "OIDC_ISSUER needs OIDC_AUDIENCE, or tokens that the provider made for other "
                "services would count here"
            )
        return self
