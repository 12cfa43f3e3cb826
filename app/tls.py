"""Say in plain words why an encrypted connection to a server was not made."""

# Parts of what OpenSSL and libraries say, and what is wrong. The first one that fits counts.
_FAULTS = {
    "certificate has expired": "its certificate has expired",
    "certificate is not yet valid": "its certificate is not valid yet",
    "certificate is not valid for": "its certificate is for another host: look at {address}",
    "doesn't match": "its certificate is for another host: look at {address}",  # urllib3 says so
    "CERTIFICATE_VERIFY_FAILED": "its certificate is of an unknown authority: look at {authority}",
    "WRONG_VERSION_NUMBER": "it does not speak TLS there: look at {address}",
    "ALERT_PROTOCOL_VERSION": "it speaks no TLS 1.2 or newer",
    "_ALERT_": "it refuses the certificate of this process: look at {certificate}",
}


def tls_fault(error: object, address: str, authority: str, certificate: str = "") -> str | None:
    """Return what is wrong with a server whose connection failed; None if TLS is not at fault.

    The others are names of settings: of the server's address, of its authority, and of the
    certificate by which this process names itself, if it has one. The error is known by its text,
    because libraries keep no other trace of the fault.
    """
    text = repr(error)
    for part, fault in _FAULTS.items():
        if part in text and (certificate or "{certificate}" not in fault):
            return fault.format(address=address, authority=authority, certificate=certificate)
    return None
