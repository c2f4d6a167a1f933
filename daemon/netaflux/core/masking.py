"""What must not be written down is masked, and what could steer a terminal or forge a line is escaped.

Secrets are known by the key they stand under, by their form, or by their very text.
"""

import codecs
import json
import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, TypeGuard
from urllib.parse import quote, quote_plus

from netaflux.core.model import Number

MASK: Final = "***"
SHORTEST: Final = 4
"""Characters of a text that is masked wherever it stands; shorter ones would take half of the log along."""
PASSING: Final = 256
"""Texts remembered of those that change, such as tokens: of some dozen accounts, about six each."""
DEEPEST: Final = 6

_KEYS: Final = re.compile(
    r"token|secret|passw|authorization|cookie|credential|api_?key|^(?:auth|code)$", re.IGNORECASE
)
_QUOTED: Final = r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | \\"(?:(?!\\").)*\\" """
_FORMS: Final = (
    # a header; words like "Basic authentication" are none (no base64 of a user name begins with `auth`)
    (re.compile(r"\b(bearer\s+|basic\s+(?!auth))[^\s\"',;\\]+", re.IGNORECASE), r"\1" + MASK),
    # a form, a query, JSON or Python's repr of it; a sentence such as "password: is missing" is none of them
    (
        re.compile(
            rf"""
            \b ( (?:access|refresh)_token | client_secret | password | passwd )
            (?: ( \\?["']? \s*=\s* ) (?: {_QUOTED} | [^\s&,;"'\\]+ ) | ( \\?["']? \s*:\s* ) (?: {_QUOTED} ) )
            """,
            re.IGNORECASE | re.VERBOSE,
        ),
        lambda found: f"{found[1]}{found[2] or found[3]}{MASK}",
    ),
    # the code of an authorization, in a redirect
    (re.compile(r"\b(code=)[^\s&\"']{8,}"), r"\1" + MASK),
    # Netatmo's own form of tokens (observed)
    (re.compile(r"\b[0-9a-f]{16,}(?:\||%7c)[0-9a-f]{16,}", re.IGNORECASE), MASK),
    # user name and password in a URL
    (re.compile(r"(://)[^/\s:@\"']*:[^/\s@\"']+@"), rf"\1{MASK}@"),
)

codecs.lookup("unicode_escape")  # found now: later there may be no file handle left to read it by

_HINT: Final = re.compile(r"bearer|basic|token|secret|passw|code=|\||%7c|@", re.IGNORECASE)
"""What every form has something of; most texts have nothing of it, and are spared the rest."""


class Masks:
    """What is masked beside the usual forms: texts that are known to be secrets."""

    def __init__(self) -> None:
        self._lasting: dict[str, None] = {}
        self._passing: dict[str, None] = {}
        """The one seen last stands last."""

    def add(self, secrets: Iterable[str], *, passing: bool = False) -> None:
        """Mask these from now on, in plain and as URLs, JSON and Python write them.

        `passing` ones, such as tokens, give way to newer ones.
        """
        for secret in secrets:
            for text in _spellings(secret.strip()):
                if len(text) < SHORTEST or text in self._lasting:
                    continue
                if passing:
                    self._pass(text)
                else:
                    self._lasting[text] = None

    def _pass(self, text: str) -> None:
        """Remember it as the newest of those that pass, and forget the oldest where they are too many."""
        self._passing.pop(text, None)
        self._passing[text] = None
        if len(self._passing) > PASSING:
            del self._passing[next(iter(self._passing))]

    def text(self, text: str) -> str:
        """The text with its secrets masked."""
        # the longest first: one secret may be a part of another
        known = [secret for secret in (*self._lasting, *self._passing) if secret in text]
        for secret in sorted(known, key=len, reverse=True):
            text = text.replace(secret, MASK)
        for form, masked in _FORMS if _HINT.search(text) else ():
            text = form.sub(masked, text)
        return text

    def value(self, value: object, key: str = "", depth: int = 0) -> object:
        """The value as plain data with its secrets masked and its texts escaped; never raises.

        Under a key that speaks of a secret every text is one; numbers and times are not.
        """
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, Mapping) and depth < DEEPEST:
            return {
                printable(self.text(str(name))): self.value(item, f"{key} {name}", depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            return [self.value(item, key, depth + 1) for item in value]
        return _number(value) if _is_number(value) else self._written(value, key)

    def _written(self, value: object, key: str) -> str:
        if any(map(_KEYS.search, key.split())):
            return MASK
        try:
            return printable(self.text(value if isinstance(value, str) else str(value)))
        except Exception as error:  # noqa: BLE001 - an object that cannot even be shown must not stop a log
            return f"<{type(value).__name__}: {type(error).__name__}>"


def speaks_of_a_secret(key: str) -> bool:
    """Whether what stands under this key is masked, whatever it is."""
    return _KEYS.search(key) is not None


def _is_number(value: object) -> TypeGuard[Number | None]:
    return value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _number(value: Number | None) -> Number | None:
    """The number itself, without what a foreign subclass adds to it."""
    if value is None or isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else float(value)


def printable(text: str) -> str:
    """The text with every character escaped that is no sign: control characters, line ends, bidi marks."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def _spellings(secret: str) -> Iterable[str]:
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    in_urls = (quote(secret, safe=""), quote(secret), quote_plus(secret))
    return dict.fromkeys((secret, *in_urls, *in_json, repr(secret)[1:-1]))
