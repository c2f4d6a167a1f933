"""Each answer that the server's source and its containers can give, and what it means to us."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from netaflux.core.errors import BatchRefused, CredentialsRefused, DestinationDown, DestinationError
from netaflux.core.model import Batch, DestinationName, Row
from netaflux.destinations import OpenDestination, open_destination
from tests.destinations.contract import BASEMENT, RH, TEMP
from tests.destinations.small_fluxtream import SmallFluxtream

ROWS = Batch(BASEMENT, (TEMP, RH), [Row(1400506122, (60.62, 57))])
FAILURE = "exception: cannot ingest boolean 'true'"
JSON = "application/json"


@dataclass(frozen=True)
class Said:
    """An answer; a `body` that is no text goes out as JSON."""

    status: int
    body: Any
    kind: str = JSON
    location: str | None = None

    def response(self) -> web.Response:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        headers = {"Location": self.location} if self.location else None
        return web.Response(status=self.status, text=text, content_type=self.kind, headers=headers)


def ko(message: str, **payload: str) -> dict[str, Any]:
    return {"result": "KO", "message": message} | ({"payload": payload} if payload else {})


def counts(ok: str | None = "1", failed: str | None = "0", **more: Any) -> dict[str, Any]:
    return {"successful_records": ok, "failed_records": failed} | more


HTML = Said(502, "<html>Bad Gateway</html>", "text/html")
PORTAL = Said(200, "<!DOCTYPE html><title>Log in</title>", "text/html")
ILLEGAL = "Illegal device nickname or channel name: X; only alphanumeric and underscore are allowed"

STORED = {
    "legacy: yes": ("legacy", Said(200, {"result": "OK", "payload": counts()})),
    "legacy: yes without a payload": ("legacy", Said(200, {"result": "OK", "message": "Upload successful!"})),
    "legacy: yes, called text": ("legacy", Said(200, {"result": "OK"}, "text/plain")),
    "v1: yes": ("v1", Said(200, counts(failure=None))),
    "v1: yes without a failure": ("v1", Said(200, counts())),
}

REFUSED = {
    "legacy: store refused": ("legacy", Said(200, ko("Upload failed!", failure=FAILURE)), FAILURE),
    "legacy: store crashed": ("legacy", Said(200, ko("Upload failed!")), "Upload failed!"),
    "legacy: illegal name": ("legacy", Said(200, ko(ILLEGAL)), ILLEGAL),
    "legacy: no with an odd payload": ("legacy", Said(200, ko("No") | {"payload": [1]}), "No"),
    "legacy: no without a word": ("legacy", Said(200, {"result": "KO"}), "no reason given"),
    "legacy: yes, and a failure": (
        "legacy",
        Said(200, {"result": "OK", "payload": counts(failed="1")}),
        "failed_records is 1",
    ),
    "v1: store refused": ("v1", Said(200, counts(None, None, failure=FAILURE)), FAILURE),
    "v1: a failure that is no text": ("v1", Said(200, counts(failure={"a": [1]})), '{"a":[1]}'),
    "v1: a failure without a word": ("v1", Said(200, counts(failure="")), "no reason given"),
    "v1: yes, and a failure": ("v1", Said(200, counts(failed="2")), "failed_records is 2"),
    "v1: illegal name": ("v1", Said(400, ILLEGAL), ILLEGAL),
}

DOWN = {
    "legacy: malformed names": (
        "legacy",
        Said(500, "<html>NullPointerException", "text/html"),
        "500 with a web page",
    ),
    "legacy: v1's yes": ("legacy", Said(200, counts(failure=None)), "answers 200 with {"),
    "legacy: yes, but a 201": ("legacy", Said(201, {"result": "OK"}), "answers 201"),
    "legacy: no, but a 500": ("legacy", Said(500, ko("Upload failed!")), "answers 500"),
    "legacy: a result that is a list": ("legacy", Said(200, {"result": ["OK"]}), "answers 200 with"),
    "v1: bare words": ("v1", Said(500, "Upload failed!"), "answers 500 with Upload failed!"),
    "v1: the old API's yes": ("v1", Said(200, {"result": "OK"}), "answers 200 with {"),
    "v1: neither yes nor no": ("v1", Said(200, counts(None, None, failure=None)), "answers 200 with {"),
    "v1: a web page for a 400": (
        "v1",
        Said(400, "<html>plain HTTP to an HTTPS port", "text/html"),
        "a web page",
    ),
} | {
    f"{api}: {what}": (api, said, words)
    for api in ("legacy", "v1")
    for what, said, words in [
        ("a proxy's page", HTML, "answers 502 with a web page"),
        ("a portal", PORTAL, "answers 200 with a web page"),
        ("a page called JSON", Said(200, " <html>"), "answers 200 with a web page"),
        ("nothing", Said(200, ""), "answers 200 with nothing"),
        ("nothing at all", Said(204, ""), "answers 204 with nothing"),
        ("half an answer", Said(200, '{"result":"OK","successful_records'), "answers 200 with {"),
        ("a list", Said(200, [1]), r"answers 200 with \[1\]"),
        ("null", Said(200, None), "answers 200 with null"),
        ("wrong content type", Said(415, ""), "does not take a form"),
        ("forbidden", Said(403, "no", "text/plain"), "does not let this account in"),
        ("a brake", Said(429, "slow down", "text/plain"), "answers 429 with slow down"),
        (
            "elsewhere",
            Said(301, "", location="https://new.invalid/api/x"),
            "redirects to https://new.invalid/api/x",
        ),
        ("elsewhere, nowhere", Said(302, ""), "redirects to nowhere"),
    ]
}  # fmt: skip - one line an answer


@pytest.mark.parametrize(("api", "said"), STORED.values(), ids=STORED)
async def test_an_upload_is_stored_when_the_server_says_so(
    server: SmallFluxtream, api: str, said: Said
) -> None:
    server.next_answers["upload"].append(said.response())

    async with open_destination(DestinationName("home"), server.settings(api=api)) as destination:
        await destination.write(ROWS)

    assert len(server.asked) == 1


@pytest.mark.parametrize(("api", "said", "reason"), REFUSED.values(), ids=REFUSED)
async def test_a_batch_is_refused_with_the_server_s_reason(
    server: SmallFluxtream, api: str, said: Said, reason: str
) -> None:
    server.next_answers["upload"].append(said.response())

    async with open_destination(DestinationName("home"), server.settings(api=api)) as destination:
        with pytest.raises(BatchRefused) as refusal:
            await destination.write(ROWS)

    assert refusal.value.message == reason


@pytest.mark.parametrize(("api", "said", "words"), DOWN.values(), ids=DOWN)
async def test_what_is_neither_yes_nor_no_means_down(
    server: SmallFluxtream, api: str, said: Said, words: str
) -> None:
    server.next_answers["upload"].append(said.response())
    async with open_destination(DestinationName("home"), server.settings(api=api)) as destination:
        with pytest.raises(DestinationDown, match=words) as down:
            await destination.write(ROWS)

    assert down.value.message.startswith(f"{server.url}/api")
    assert down.value.remedy
    assert len(server.asked) == 1


@pytest.mark.parametrize("api", ["legacy", "v1"])
async def test_a_guest_is_known_by_number(server: SmallFluxtream, api: str) -> None:
    async with open_destination(DestinationName("home"), server.settings(api=api)) as destination:
        assert destination.introduction == ""
        identity = await destination.identify()

        assert identity == f"fluxtream:{server.url.removeprefix('http://')}#7"
        assert destination.introduction == "anne (Anne Öl), guest 7"


NO_GUEST = {
    "KO": (Said(200, ko("Failed to get current guest: null")), "fails: Failed to get current guest: null"),
    "no id": (Said(200, {"username": "anne"}), "answers 200 with {"),
    "an id that is text": (Said(200, {"id": "7"}), "answers 200 with {"),
    "an id that is a truth": (Said(200, {"id": True}), "answers 200 with {"),
    "forbidden": (Said(403, "", "text/plain"), "does not let this account in"),
    "v1 fails": (Said(500, "Failed to get current guest: null"), "answers 500 with Failed"),
    "a proxy's page": (HTML, "answers 502 with a web page"),
    "a portal": (PORTAL, "answers 200 with a web page"),
    "too large, though nothing was sent": (Said(413, "", "text/plain"), "answers 413 with nothing"),
    "elsewhere": (Said(302, "", location="https://new.invalid/login"), "redirects to https://new.invalid/login"),
}  # fmt: skip


@pytest.mark.parametrize("api", ["legacy", "v1"])
@pytest.mark.parametrize(("said", "words"), NO_GUEST.values(), ids=NO_GUEST)
async def test_without_a_guest_s_number_the_server_counts_as_down(
    server: SmallFluxtream, api: str, said: Said, words: str
) -> None:
    server.next_answers["guest"].append(said.response())
    async with open_destination(DestinationName("home"), server.settings(api=api)) as destination:
        with pytest.raises(DestinationDown, match=words) as down:
            await destination.identify()

    assert down.value.message.startswith(f"{server.url}/api")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "said",
    [
        Said(401, ko("Access Denied. Please log in")),
        Said(401, "<html>401", "text/html"),
        Said(401, "You are no longer logged in"),
    ],
)
async def test_a_401_to_the_guest_s_question_is_a_wrong_password(
    server: SmallFluxtream, destination: OpenDestination, said: Said
) -> None:
    server.next_answers["guest"].append(said.response())

    with pytest.raises(CredentialsRefused) as refusal:
        await destination.identify()

    assert "`password`" in refusal.value.remedy


async def test_a_401_to_an_upload_is_a_wrong_password_if_the_guest_s_question_gets_one_too(
    server: SmallFluxtream, destination: OpenDestination
) -> None:
    server.credentials = ("anne", "changed meanwhile")

    with pytest.raises(CredentialsRefused):
        await destination.write(ROWS)

    assert [asked.path for asked in server.asked] == ["/api/bodytrack/upload", "/api/guest"]


async def test_the_server_s_words_are_made_harmless(
    server: SmallFluxtream, destination: OpenDestination
) -> None:
    """What a log or a terminal shows has no control characters, and is not longer than a few lines."""
    server.refusal = "\x1b[31mred\x1b[0m\r\nline two\u202e \0" + 1000 * "x"

    with pytest.raises(BatchRefused) as refusal:
        await destination.write(ROWS)

    assert refusal.value.message.startswith(r"\x1b[31mred\x1b[0m line two\u202e \x00xxx")
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) <= 301


@pytest.mark.parametrize(
    "said",
    [
        Said(200, ko("KO", failure='Authorization: {secret} "{json}" {token}')),
        Said(400, "{secret} {token}", "text/plain"),
        Said(500, "{secret} {json} {token}", "text/plain"),
        Said(302, "", location="https://new.invalid/?was={token}"),
        Said(302, "", location="https://new.invalid/?password={url}"),
        Said(418, '{"said": "{json}"}'),
    ],
)
async def test_no_message_repeats_the_password(server: SmallFluxtream, said: Said) -> None:
    """Not even when the server does."""
    server.credentials = ("anne", 'canary "in" the mine')
    token = "YW5uZTpjYW5hcnkgImluIiB0aGUgbWluZQ=="
    spoken = {
        "secret": server.credentials[1],
        "json": json.dumps(server.credentials[1])[1:-1],
        "token": token,
        "url": quote(server.credentials[1]),
    }
    text = json.dumps([said.body, said.location])
    for word, secret in spoken.items():
        text = text.replace(f"{{{word}}}", json.dumps(secret)[1:-1])
    body, location = json.loads(text)
    server.next_answers["upload"].append(Said(said.status, body, said.kind, location).response())

    async with open_destination(DestinationName("home"), server.settings()) as destination:
        with pytest.raises(DestinationError) as error:
            await destination.write(ROWS)
        seen = f"{error.value.message} {error.value!r} {destination!r} {server.settings()!r}"

    assert "***" in error.value.message
    assert not [secret for secret in spoken.values() if secret in seen]
