"""Address and sign calls of SageMaker's runtime, with AWS Signature Version 4 from botocore."""

import asyncio
import logging
from collections.abc import Callable

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import get_session
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url
from yarl import URL

from app import errors
from app.concurrency import offload_if_large
from app.protocol.types import JSON_MEDIA_TYPE

log = logging.getLogger(__name__)

Keys = tuple[str, str]  # the id of an access key and the key
Find = Callable[[], Credentials | None]

SERVICE = "sagemaker"  # the name in signatures; the host is called `runtime.sagemaker`
# Sources of credentials raise these, among them `credential_process` and STS.
_FAILURES = (BotoCoreError, ClientError, OSError, RuntimeError, ValueError)


def invocation_url(address: URL, endpoint_name: str) -> URL:
    """Return the URL that takes calls of an endpoint.

    Raises `errors.EndpointFailed` if AWS's own clients would refuse the host.
    """
    if not (is_valid_endpoint_url(str(address)) or is_valid_ipv6_endpoint_url(str(address))):
        raise errors.EndpointFailed("SageMaker cannot be called: endpoint_url has an invalid host")
    path = f"{address.raw_path.removesuffix('/')}/endpoints/{endpoint_name}/invocations"
    return address.with_path(path, encoded=True, keep_query=True)


class CredentialChain:
    """Finds credentials as botocore does, and keeps them; belongs to one event loop."""

    def __init__(self, find: Find = lambda: get_session().get_credentials()) -> None:
        """Keep `find`, which looks for credentials and may block; do not call it yet."""
        self._find = find
        self._found: Credentials | None = None
        self._frozen: ReadOnlyCredentials | None = None
        self._lookup: asyncio.Future[ReadOnlyCredentials] | None = None

    async def current(self) -> ReadOnlyCredentials:
        """Return valid credentials; a thread finds or refreshes them once for all callers.

        Raises botocore's errors, and any other error of a source of credentials.
        """
        if self._frozen and not self._may_refresh():
            return self._frozen
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.get_running_loop().run_in_executor(None, self._look_up)
        return await asyncio.shield(self._lookup)  # one caller's deadline does not end it

    def _may_refresh(self) -> bool:
        return isinstance(self._found, RefreshableCredentials) and self._found.refresh_needed()

    def _look_up(self) -> ReadOnlyCredentials:
        self._found = self._found or self._find()
        if self._found is None:
            raise NoCredentialsError
        self._frozen = self._found.get_frozen_credentials()
        return self._frozen


class SageMakerSigner:
    """Signs calls of SageMaker; belongs to one event loop."""

    def __init__(self, chain: CredentialChain | None = None) -> None:
        """Use the credentials of `chain` for calls without keys."""
        self._chain = chain or CredentialChain()

    async def headers(
        self, url: URL, region: str, keys: Keys | None, body: bytes
    ) -> dict[str, str]:
        """Return the signed headers of a POST of JSON, with the signature.

        Raises `errors.EndpointFailed` if credentials cannot be found, read or refreshed.
        """
        try:
            if keys:
                credentials = ReadOnlyCredentials(*keys, token=None)
            else:
                credentials = await self._chain.current()
            return await offload_if_large(
                len(body), lambda: _signed(url, region, credentials, body)
            )
        except NoCredentialsError:
            raise errors.EndpointFailed(
                "SageMaker cannot be called: no AWS credentials were found"
            ) from None
        except _FAILURES as error:
            log.warning("AWS credentials cannot be read: %s", type(error).__name__)
            raise errors.EndpointFailed(
                "SageMaker cannot be called: the AWS credentials cannot be read or refreshed"
            ) from None


def _signed(url: URL, region: str, credentials: ReadOnlyCredentials, body: bytes) -> dict[str, str]:
    # Sign only the headers that AWS's client signs, because proxies may change others.
    headers = {
        "Host": url.host_port_subcomponent,
        "Content-Type": JSON_MEDIA_TYPE,
        "Accept": JSON_MEDIA_TYPE,
    }
    request = AWSRequest("POST", str(url), headers, body)
    SigV4Auth(credentials, SERVICE, region).add_auth(request)
    return dict(request.headers.items())
