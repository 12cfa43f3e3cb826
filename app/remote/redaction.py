"""Redact secrets from remote responses."""

import json
from typing import Any

from app.protocol import strict_json
from app.settings import Settings

MAX_QUOTED = 200  # characters of a response that an error may quote
MIN_CERTAIN = 12  # characters; no answer has a secret of this length by chance


class SecretRedactor:
    """Find the secrets of the settings in responses, in every form that they may have."""

    def __init__(self, settings: Settings) -> None:
        """Collect the secrets; the second part of `KEY_ID:SECRET_KEY` is one, too."""
        secrets = [each.get_secret_value() for each in settings.invoke_secrets.values()]
        if settings.aws_secret_access_key:
            secrets.append(settings.aws_secret_access_key.get_secret_value())
        secrets += [each.partition(":")[2] for each in secrets]
        forms = {form for each in secrets if each for form in _forms(each)}
        self._masked = sorted(forms, key=len, reverse=True)  # a secret before its parts
        certain = {each for each in secrets if len(each) >= MIN_CERTAIN}
        self._certain = [json.dumps(each)[1:-1].encode() for each in certain]

    def quote(self, body: bytes) -> str:
        """Return the beginning of a body without secrets, as one line of printable characters."""
        text = body.decode(errors="replace")
        for each in self._masked:  # before the cut, which could leave a part of one
            text = text.replace(each, "***")
        text = text[: 4 * MAX_QUOTED]
        clean = "".join(each if each.isprintable() else " " for each in text)
        return " ".join(clean.split())[:MAX_QUOTED]

    def has_secret(self, answer: dict[str, Any]) -> bool:
        """Tell whether a value or a key of parsed JSON contains a secret that is not short."""
        if not self._certain:
            return False
        text = strict_json.dumps(answer)
        return any(each in text for each in self._certain)


def _forms(secret: str) -> set[str]:
    """Return the forms of a secret: as text, as Python's `repr`, and as JSON once or twice."""
    forms = {secret, repr(secret)[1:-1]}
    for _ in range(2):
        forms |= {
            json.dumps(each, ensure_ascii=escapes)[1:-1]
            for each in forms
            for escapes in (True, False)
        }
        forms |= {each.replace("/", "\\/") for each in forms}
    return forms
