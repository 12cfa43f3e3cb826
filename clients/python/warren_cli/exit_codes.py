"""With which codes `warren` ends, and which one an error has."""

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
NOT_ALLOWED = 4
NOT_FOUND = 5
OTHER = 6
OUT_OF_TIME = 124  # that of `timeout`
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it

MEANINGS = {
    OK: "it worked",
    FAILED: "the job failed or was cancelled; `status` or `doctor` found something wrong",
    USAGE: "the command was not written as it is meant, or the profile, the address or the key "
    "cannot be used",
    UNREACHABLE: "Warren, or something that it needs, cannot be reached",
    NOT_ALLOWED: "the key is missing or wrong, or lacks a scope",
    NOT_FOUND: "there is no such thing, or not any more",
    OTHER: "any other refusal or error",
    OUT_OF_TIME: "out of time; a job goes on",
    INTERRUPTED: "interrupted by Ctrl-C; a job goes on",
}

_BY_TYPE = {
    "job_failed": FAILED,
    "job_cancelled": FAILED,
    "misconfigured": USAGE,
    "unreachable": UNREACHABLE,
    "unavailable": UNREACHABLE,
    "unauthenticated": NOT_ALLOWED,
    "forbidden": NOT_ALLOWED,
    "not_found": NOT_FOUND,
    "gone": NOT_FOUND,
    "deadline_exceeded": OUT_OF_TIME,
    "wait_timeout": OUT_OF_TIME,
}


def code_of(error_type: str) -> int:
    """Return the exit code of an error by its type, as the client or the server names it."""
    if error_type.endswith("_unavailable"):
        return UNREACHABLE
    return _BY_TYPE.get(error_type, OTHER)
