"""Secrets that are sent to strangers, and that what they answer must not pass on."""

import json
from typing import Any

from app import strict_json
from app.settings import Settings

MAX_QUOTED = 200  # characters of what a stranger says that are passed on
MIN_CERTAIN = 12  # characters of a secret that are in no answer by chance


class SecretRedactor:
    """Knows the secrets of the settings, and how a stranger may write them."""

    def __init__(self, settings: Settings) -> None:
        """Of a secret `KEY_ID:SECRET_KEY` the second part is one, too."""
        secrets = [each.get_secret_value() for each in settings.invoke_secrets.values()]
        if settings.aws_secret_access_key:
            secrets.append(settings.aws_secret_access_key.get_secret_value())
        secrets += [each.partition(":")[2] for each in secrets]
        forms = {form for each in secrets if each for form in _forms(each)}
        self._masked = sorted(forms, key=len, reverse=True)  # none before one it is a part of
        certain = {each for each in secrets if len(each) >= MIN_CERTAIN}
        self._certain = [json.dumps(each)[1:-1].encode() for each in certain]

    def quoted(self, body: bytes) -> str:
        """Return the beginning of what a stranger says: one line, no control characters."""
        text = body.decode(errors="replace")
        for each in self._masked:  # before it is cut, or a part of one might be left
            text = text.replace(each, "***")
        text = text[: 4 * MAX_QUOTED]
        clean = "".join(each if each.isprintable() else " " for each in text)
        return " ".join(clean.split())[:MAX_QUOTED]

    def shows(self, answer: dict[str, Any]) -> bool:
        """Tell whether a secret stands in what JSON was parsed to, be it as a key."""
        if not self._certain:
            return False
        text = strict_json.dumps(answer)
        return any(each in text for each in self._certain)


def _forms(secret: str) -> set[str]:
    """Return a secret as text, as Python shows it, and in JSON, that may be text in JSON again."""
    forms = {secret, repr(secret)[1:-1]}
    for _ in range(2):
        forms |= {
            json.dumps(each, ensure_ascii=escapes)[1:-1]
            for each in forms
            for escapes in (True, False)
        }
        forms |= {each.replace("/", "\\/") for each in forms}
    return forms
