"""What the simulated Fluxtream makes of an upload's form, and how its two APIs word the outcome."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

import orjson
from aiohttp import web

from netaflux.simulator.answers import html_answer, json_answer
from netaflux.simulator.store import BatchRefused
from netaflux.simulator.weather import Number

NAME = re.compile(r"[0-9a-zA-Z_.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What came with one upload whose data could be read, and what was said of it."""

    number: int
    """Of the call in the ledger."""
    time: float
    """When it came."""
    guest: int
    device: str
    channels: tuple[str, ...]
    times: tuple[Number, ...]
    """Of its rows, in their order."""
    size: int
    """Bytes of the encoded body."""
    outcome: Literal["OK", "KO", "swallowed"]

    @property
    def rows(self) -> int:
        """How many rows it held."""
        return len(self.times)

    def told(self) -> dict[str, object]:
        """As JSON, with the first and the last time instead of all."""
        spans = {
            "rows": self.rows,
            "first": min(self.times, default=None),
            "last": max(self.times, default=None),
        }
        return {name: getattr(self, name) for name in self.__slots__ if name != "times"} | spans


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of an upload, read as far as the server reads them before it tries to store."""

    device: str
    channels: tuple[str, ...]
    data: bytes
    """Still encoded."""

    @property
    def illegal_name(self) -> str | None:
        """The first name with a character that is not allowed."""
        return next((name for name in (self.device, *self.channels) if not NAME.fullmatch(name)), None)

    def rows(self) -> object:
        """The data, as JSON. Raises BatchRefused."""
        try:
            return orjson.loads(_decoded(self.data))
        except orjson.JSONDecodeError as error:
            raise BatchRefused from error


def form_of(fields: Mapping[str, bytes]) -> Form | None:
    """The form; None where the server trips over a missing device or unreadable channel names."""
    try:
        channels = orjson.loads(_decoded(fields["channel_names"]))
        device = decoded(fields["dev_nickname"])
    except (KeyError, orjson.JSONDecodeError):
        return None
    if not isinstance(channels, list) or not all(isinstance(name, str) for name in channels):
        return None
    return Form(device, tuple(channels), fields.get("data", b""))


def fields_of(body: bytes) -> dict[str, bytes]:
    """The fields of a form, each still percent-encoded; the first of each name counts."""
    parts = [part.partition(b"=") for part in body.split(b"&") if part]
    return {decoded(name): text for name, _, text in reversed(parts)}


def decoded(text: bytes) -> str:
    """What was percent-encoded; a plus sign is a blank."""
    return _decoded(text).decode(errors="replace")


def _decoded(text: bytes) -> bytes:
    plain = text.replace(b"+", b" ")
    # nearly all there is to decode, at the speed of a search; an escape never spans two of them
    for escape, character in ((b"%5B", b"["), (b"%5D", b"]"), (b"%2C", b","), (b"%22", b'"')):
        plain = plain.replace(escape, character)
    return unquote_to_bytes(plain) if b"%" in plain else plain


def stored_answer(*, v1: bool) -> web.Response:
    """A success; the number is that of blocks, not of rows."""
    counts = {"successful_records": "1", "failed_records": "0"}
    if v1:
        return json_answer({**counts, "failure": None})
    return json_answer({"result": "OK", "message": "Upload successful!", "payload": counts})


def refused_answer(failure: str | None, *, v1: bool) -> web.Response:
    """The store has refused the batch; without words it has crashed, or the data could not be read."""
    if v1 and failure is None:
        return bare_answer(500, "Upload failed!")
    if v1:
        return json_answer({"successful_records": None, "failed_records": None, "failure": failure})
    told = {"result": "KO", "message": "Upload failed!"}
    return json_answer(told if failure is None else {**told, "payload": {"failure": failure}})


def illegal_answer(name: str, *, v1: bool) -> web.Response:
    """A device or channel name is not allowed."""
    sentence = (
        f"Illegal device nickname or channel name: {name}; only alphanumeric and underscore are allowed"
    )
    return bare_answer(400, sentence) if v1 else json_answer({"result": "KO", "message": sentence})


def broken_answer() -> web.Response:
    """The servlet container's page for an exception that nobody caught."""
    return html_answer(500, "HTTP Status 500 - java.lang.NullPointerException")


def bare_answer(status: int, text: str) -> web.Response:
    """Bare text that claims to be JSON, as v1 gives it."""
    return web.Response(body=text.encode(), status=status, content_type="application/json")
