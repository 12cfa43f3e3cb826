"""What keeps the producer from starting."""

import pytest

from app.producer.main import check_openid
from app.settings import Settings

PROVIDER = {"oidc_issuer": "https://login.example.com", "oidc_audience": "warren"}


@pytest.mark.parametrize("open_to_all", [{"auth": "off", "host": "0.0.0.0"}, {"auth": ""}])
def test_tokens_that_nobody_would_check_keep_the_producer_from_starting(
    open_to_all: dict[str, str],
) -> None:
    with pytest.raises(SystemExit, match="OIDC_ISSUER has no effect"):
        check_openid(Settings(_env_file=None, **PROVIDER, **open_to_all))


@pytest.mark.parametrize("checked", [{"auth": "on"}, {"auth": "", "host": "0.0.0.0"}])
def test_tokens_that_are_checked_do_not(checked: dict[str, str]) -> None:
    check_openid(Settings(_env_file=None, **PROVIDER, **checked))
