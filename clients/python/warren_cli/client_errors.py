"""What the errors of the client mean for the program."""

from warren_cli import exit_codes
from warren_cli.failures import Failure
from warren_client.errors import Unauthenticated, Unreachable, WarrenError

_KEY = "WARREN_API_KEY or `warren login` give one"
_ADDRESS = "WARREN_URL, --url or a profile say where Warren is, and `warren up` starts one here"


def failure_of(error: BaseException, more: str = "") -> Failure | None:
    """Return the failure that an error of the client is, with `more` behind its sentence.

    It is None for an error of another kind.
    """
    if not isinstance(error, WarrenError):
        return None
    kind = str((error.problem or {}).get("type") or error.type)
    members = {**(error.problem or {}), "type": kind}
    members.pop("detail", None)
    return Failure(_sentence(error) + more, exit_codes.code_of(error.type), **members)


def _sentence(error: WarrenError) -> str:
    if isinstance(error, Unauthenticated):
        return f"{error.detail}; {_KEY}"
    if isinstance(error, Unreachable):
        return f"{error.detail}; {_ADDRESS}"
    return error.detail
