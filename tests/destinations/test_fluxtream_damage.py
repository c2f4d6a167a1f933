"""Answers of Fluxtream that something has happened to: a yes where one was said, else an error of ours."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import DestinationError, NetafluxError
from netaflux.core.model import ChannelName, DeviceName, Window
from netaflux.destinations.fluxtream.answers import Judge, Verdict
from netaflux.destinations.fluxtream.readback import Export
from netaflux.destinations.fluxtream.settings import Api
from netaflux.http import Answer
from tests.damage import bodies, bytes_like

JUDGE = Judge("https://fluxtream.example.org/api/guest", ("c4nary-in-the-mine",))
GUEST = {"id": 7, "username": "anne", "fullname": "Anne c4nary-in-the-mine", "roles": ["ROLE_USER"]}
YES = {
    "result": "OK",
    "message": "c4nary-in-the-mine",
    "payload": {"successful_records": 3, "failed_records": 0},
}
V1_YES = {"successful_records": 3, "failed_records": 0, "failure": None}
NO = {"result": "KO", "message": "c4nary-in-the-mine", "payload": {"failure": "c4nary-in-the-mine"}}

EXPORT = Export(DeviceName("Cellar"), (ChannelName("Temp_C"), ChannelName("RH")), Window(1000, 2000))
TABLE = b"EpochTime,Cellar.Temp_C,Cellar.RH\n1000,15.9,57\n1300,,58\n1600.5,16.0,\n1999,a text,59\n2500,1,1\n"

STATUSES = st.sampled_from([200, 200, 200, 302, 400, 401, 403, 404, 413, 418, 429, 500, 503])
KINDS = st.sampled_from(["application/json", "text/html", "text/plain", "\xff", ""])
HEADERS = st.fixed_dictionaries({"Content-Type": KINDS}, optional={"Location": st.text()})


def fine(error: DestinationError) -> bool:
    """Whether what is told is fit for a log's line, and holds no secret."""
    return error.message.isprintable() and "c4nary-in-the-mine" not in error.message


@given(body=st.sampled_from([GUEST, NO]).flatmap(bodies), status=STATUSES, headers=HEADERS)
def test_who_we_are_is_what_was_said_or_an_error_of_ours(
    body: bytes, status: int, headers: dict[str, str]
) -> None:
    flaws: list[DestinationError] = []
    try:
        guest = JUDGE.guest(Answer(status, headers, body))
    except DestinationError as error:
        flaws, guest = [error], None

    assert all(map(fine, flaws))
    assert guest is None or guest.id == orjson.loads(body)["id"]


@pytest.mark.parametrize("api", ["legacy", "v1"])
@given(body=st.sampled_from([YES, V1_YES, NO]).flatmap(bodies), status=STATUSES, headers=HEADERS)
def test_a_damaged_answer_to_an_upload_is_no_yes_unless_it_says_so(
    api: Api, body: bytes, status: int, headers: dict[str, str]
) -> None:
    flaws: list[DestinationError] = []
    try:
        verdict = JUDGE.upload(Answer(status, headers, body), api)
    except DestinationError as error:
        flaws, verdict = [error], Verdict.NO_ROUTE

    assert all(map(fine, flaws))
    assert verdict is not Verdict.STORED or says_yes(orjson.loads(body), api)


def says_yes(told: dict[str, Any], api: Api) -> bool:
    if api == "legacy":
        return bool(told["result"] == "OK")
    return told["successful_records"] is not None and told.get("failure") is None


@given(body=bytes_like(TABLE), status=STATUSES, headers=HEADERS)
def test_a_damaged_export_is_rows_of_the_stretch_or_an_error_of_ours(
    body: bytes, status: int, headers: dict[str, str]
) -> None:
    with suppress(NetafluxError):
        held = EXPORT.read(Answer(status, headers, body), "https://fluxtream.example.org/export") or []

        assert all(1000 <= row.time < 2000 for row in held)
        assert all(len(row.values) == 2 for row in held)
