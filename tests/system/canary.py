"""Secrets as canaries: where any of them sings in a text, however it is spelled there."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import unescape
from urllib.parse import quote, quote_plus, unquote_plus

from netaflux.simulator.accounts import Pair

WINDOW = 12
"""Characters of a secret that tell too much; what is cut off after fewer does not."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\\x1b\[[0-9;]*m")


def of_pairs(pairs: Iterable[Pair]) -> Iterator[str]:
    """What is secret of tokens: what comes after the user's id, which they begin with."""
    for pair in pairs:
        for token in (pair.access, pair.refresh):
            yield token.partition("|")[2]


def singing(text: str, secrets: Iterable[str]) -> set[str]:
    """The secrets that stand in the text, or a good part of one, in some spelling or broken up."""
    views = set(_views(text))
    return {secret for secret in secrets if any(part in view for part in _parts(secret) for view in views)}


def _views(text: str) -> Iterator[str]:
    """The text as it is, and as what would join or decode it shows it."""
    plain = _ESCAPES.sub("", text)
    for view in (text, plain, unquote_plus(plain), unescape(plain), _unescaped(plain)):
        yield view
        yield re.sub(r"\s|│|<\d>", "", view)


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", lambda at: chr(int(at[1] or at[2], 16)), text)


def _parts(secret: str) -> Iterator[str]:
    """Stretches of the secret in each of its spellings."""
    for spelling in {secret, *_spellings(secret)}:
        for at in range(max(1, len(spelling) - WINDOW + 1)):
            yield spelling[at : at + WINDOW]


def _spellings(secret: str) -> Iterator[str]:
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    yield secret.encode().hex()
    for before in range(
        3
    ):  # it may begin anywhere in a group of three bytes; what its neighbours change is left out
        raw = b64encode(b"x" * before + secret.encode()).decode().rstrip("=")
        yield raw[(before * 4 + 2) // 3 : -1]
