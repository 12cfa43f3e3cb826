"""The key ring: tells whom a key stands for, without asking the database."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import sqlalchemy as sa

from app import errors
from app.auth.credentials import Credentials, read_credentials, read_version
from app.auth.identity import Identity
from app.auth.store import USE_SECONDS, mark_used

READ_SECONDS = 0.5  # a revoked key is refused within 2 s, on a busy machine too
_MOST_REMEMBERED = 10_000  # headers with valid keys
# A key that ends sooner is not remembered: a query may take so long, and only the thread forgets.
_LASTING = timedelta(minutes=1)

log = logging.getLogger(__name__)


class _Known:
    """Credentials, and who was identified by them since they were checked last.

    Nobody is remembered beyond the credentials that identified them, whichever thread replaces
    these.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.remembered: dict[bytes, Identity] = {}


class KeyRing(threading.Thread):
    """Reads the valid keys and sessions when they have changed, and records the use of keys.

    While the database is unavailable, what was valid stays valid until it expires.
    """

    def __init__(
        self,
        engine: sa.Engine,
        seconds: float = READ_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the thread without starting it; it looks for changes every `seconds`."""
        super().__init__(name="key-ring", daemon=True)
        self.engine = engine
        self._seconds = seconds
        self._now = now
        self._known: _Known | None = None
        self._reading = threading.Lock()
        self._used: set[str] = set()
        self._recorded: dict[str, float] = {}
        self._is_away = False
        self._stopping = threading.Event()

    def remembered(self, sent: bytes | None) -> Identity | None:
        """Return whom the value of a header was found to stand for a moment ago, if it was."""
        return self._known.remembered.get(sent) if self._known else None  # type: ignore[arg-type]

    def identify(self, text: bytes, sent: bytes | None = None) -> Identity | None:
        """Return whom the text of a key or session stands for, or None if it is not valid.

        It remembers this for the value of the header that was `sent`. Raises
        `errors.DatabaseUnavailable` if the keys were never read.
        """
        known = self._known
        if known is None:
            raise errors.DatabaseUnavailable("the keys have not been read from the database yet")
        now = self._now()
        found = known.credentials.check(text, now)
        if found and found.key_id:
            self._used.add(found.key_id)
            lasts = not known.credentials.keys[found.key_id].is_over(now + _LASTING)
            if sent is not None and lasts and len(known.remembered) < _MOST_REMEMBERED:
                known.remembered[sent] = found
        return found

    def is_valid(self, identity: Identity) -> bool:
        """Tell whether the key, the login or the token of an identity that was found still is."""
        if identity.ends_at is not None:
            return not identity.is_over(self._now().timestamp())
        if not self._known:
            return False
        known = self._known.credentials
        session = identity.session_id
        found = known.sessions.get(session) if session else known.keys.get(identity.key_id or "")
        return found is not None and not found.is_over(self._now())

    def refresh(self) -> None:
        """Read what has changed, and record uses. Raises `errors.DatabaseUnavailable`."""
        with self._reading:  # lest an older answer replace a newer one
            known = self._known.credentials if self._known else None
            if known:
                self._known = _Known(known)  # so that a key that has expired is not remembered
            if not known or read_version(self.engine) != known.version:
                self._known = _Known(read_credentials(self.engine))
            self._record_uses()

    def begin(self) -> None:
        """Read the keys, so that the first requests find them, and start the thread."""
        self._try()
        self.start()

    def stop(self) -> None:
        """End the thread soon; `join` waits for it."""
        self._stopping.set()

    def run(self) -> None:
        """Run the thread's main loop."""
        while not self._stopping.wait(self._seconds):
            self._try()

    def _try(self) -> None:
        was_away, self._is_away = self._is_away, True
        try:
            self.refresh()
            self._is_away = False
            if was_away:
                log.info("the keys can be read again")
        except errors.WarrenError as error:
            if not was_away:
                log.warning("keys cannot be read, those that are known stay valid: %s", error)
        except Exception:  # a bug must not end the thread
            log.exception("keys cannot be read, those that are known stay valid")

    def _record_uses(self) -> None:
        used, now = {self._used.pop() for _ in range(len(self._used))}, monotonic()
        due = {each for each in used if self._recorded.get(each, 0.0) <= now - USE_SECONDS}
        if due:
            mark_used(self.engine, due)
            self._recorded |= dict.fromkeys(due, now)
