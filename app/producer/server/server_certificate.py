"""The certificate with which the producer serves HTTPS; it may be replaced at any time."""

import logging
import ssl
from pathlib import Path

from app import errors

log = logging.getLogger(__name__)

_NO_PAIR = "they hold no certificate and its key without a passphrase, in PEM"


class ServerCertificate:
    """Reads its files, and again at the first connection after they have changed.

    A pair that is no good, such as a new certificate whose key is not written yet, is logged. New
    connections get the one before then. Open connections keep theirs. A server listens with
    `context`, which takes TLS 1.2 and newer.
    """

    def __init__(self, certificate_file: str, key_file: str = "") -> None:
        """Read the files; without `key_file`, the key is in the file of the certificate.

        Raises `errors.Invalid`, which names the settings, for a pair that is no good.
        """
        self._files = (certificate_file, key_file or certificate_file)
        self._seen = self._look()
        self.context = self._current = self._read()
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        """Give a new connection the newest certificate. OpenSSL calls this, with or without SNI."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen  # before the pair is read, so that a bad one is logged once
            try:
                self._current = self._read()
                log.info("new connections get the new certificate in %s", self._files[0])
            except errors.Invalid as error:
                log.warning("new connections get the certificate from before: %s", error)
        connection.context = self._current

    def _look(self) -> list[tuple[int, ...]]:
        """Return what changes when a file is written, replaced or deleted."""
        return [_state(each) for each in self._files]

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            for each in self._files:
                Path(each).open("rb").close()  # an error of OpenSSL does not name the file
            # Without a passphrase here, OpenSSL would ask the terminal for one.
            context.load_cert_chain(*self._files, password="")
        except OSError as error:
            is_pair = isinstance(error, ssl.SSLError)
            why = _NO_PAIR if is_pair else f"{error.filename} cannot be read: {error.strerror}"
            raise errors.Invalid("TLS_CERTIFICATE_FILE, TLS_KEY_FILE", why) from None
        return context


def _state(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError:  # it is being replaced
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
