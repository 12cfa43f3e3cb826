"""Words that no user of an HTTP or AMQP API should have to know."""

import re

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')  # a client's own words, and examples
_REMEDIES = re.compile(
    r"index=False in pandas|options=\{'zipmap': False\}"
)  # name a tool of Python
_FOREIGN = re.compile(
    r"\b(?:None|True|False|NoneType|dict|dictionary|str|tuple|ndarray|dtype|numpy|np|pydantic"
    r"|isinstance|kwargs?|codec|repr|unhashable|[A-Z]\w+Error|keyword argument|len)\b"
    r"|\b(?:an?|the) (?:int|float|bool)\b|instance of|Input should|Value error|Extra inputs"
    r"|permitted|Field required|after validation|Expecting |should match pattern|array-like"
    r"|[\[(]\d\S*, inf|\bclass '|object at 0x|\^\[|\(\?|\]\*|\$'"
)


def foreign_words(detail: str, sent: str = "") -> list[str]:
    """Return the words of Python, its libraries and regular expressions in an error's detail.

    Words in quotation marks, and those that the client `sent`, are not counted.
    """
    found = _FOREIGN.findall(_REMEDIES.sub("", _QUOTED.sub("", detail)))
    return [each for each in found if each not in sent]
