"""How both APIs of Fluxtream word what they think of an upload: row by row what was measured."""

from io import BytesIO
from typing import Any

import aiohttp
import pytest

from netaflux.simulator import Cell, Fault, FluxtreamSettings, Served, World, estate
from netaflux.simulator.store import BatchRefused
from tests.simulator.conftest import FORM, NOW, Answer, Caller

LEGACY, V1 = "/api", "/api/v1"
BOTH = pytest.mark.parametrize("api", [LEGACY, V1])
ROW = [NOW, 60.62]
COUNTS = {"successful_records": "1", "failed_records": "0"}
ILLEGAL = "Illegal device nickname or channel name: {}; only alphanumeric and underscore are allowed"


def failed(answer: Answer, api: str) -> bool:
    """A refusal without a reason, as either API gives it."""
    if api == V1:
        return (answer.status, answer.body) == (500, b"Upload failed!")
    return answer.status == 200 and answer.json == {"result": "KO", "message": "Upload failed!"}


def refused(answer: Answer, api: str, reason: str) -> bool:
    """A refusal with the importer's reason."""
    told = answer.json
    if api == V1:
        return answer.status == 200 and told == dict.fromkeys(COUNTS) | {"failure": reason}
    return answer.status == 200 and (told["result"], told["payload"]) == ("KO", {"failure": reason})


async def test_a_success_of_the_old_api(caller: Caller, served: Served) -> None:
    answer = await caller.upload([ROW])

    assert answer.status == 200
    assert answer.json == {"result": "OK", "message": "Upload successful!", "payload": COUNTS}
    assert served.fluxtream.store.values == {Cell(7, "Netatmo_Porch", "Temp_F"): {NOW: 60.62}}


async def test_a_success_of_v1_has_no_result(caller: Caller, served: Served) -> None:
    answer = await caller.upload([ROW], api=V1)

    assert answer.status == 200
    assert answer.json == {**COUNTS, "failure": None}
    assert served.fluxtream.store.values == {Cell(7, "Netatmo_Porch", "Temp_F"): {NOW: 60.62}}


@BOTH
async def test_what_the_store_refuses(caller: Caller, api: str) -> None:
    answer = await caller.upload([[NOW, True]], api=api)

    assert refused(answer, api, "exception: cannot ingest boolean 'true'")


@BOTH
@pytest.mark.parametrize("data", ["{", "", "[[1e 20]]", "[[1,NaN]]", "[[1,1e400]]", "[[1,[2]]]", "7"])
async def test_what_cannot_be_read(caller: Caller, api: str, data: str) -> None:
    assert failed(await caller.upload(data, api=api), api)


@BOTH
async def test_a_crash_of_the_importer(caller: Caller, served: Served, api: str) -> None:
    answer = await caller.upload([ROW, [NOW + 1, 2, 3]], api=api)

    assert failed(answer, api)
    assert not any(served.fluxtream.store.values.values())


@pytest.mark.parametrize("name", ["my device", "a-b", "Büro", ""])
async def test_an_illegal_name(caller: Caller, name: str) -> None:
    legacy, v1 = [await caller.upload([ROW], device=name, api=api) for api in (LEGACY, V1)]

    assert (legacy.status, legacy.json) == (200, {"result": "KO", "message": ILLEGAL.format(name)})
    assert (v1.status, v1.body.decode()) == (400, ILLEGAL.format(name))
    assert v1.headers["Content-Type"].startswith("application/json")


@BOTH
@pytest.mark.parametrize("channels", ["", "[", "7", "{}", "[7]"])
async def test_unreadable_channel_names(caller: Caller, api: str, channels: str) -> None:
    answer = await caller.upload([ROW], channels, api=api)

    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/html")


@BOTH
async def test_a_missing_device(caller: Caller, api: str) -> None:
    sent = {**caller.basic, "Content-Type": FORM}
    form = b"channel_names=[]&data=[]"

    assert (await caller.flux(f"{api}/bodytrack/upload", "POST", data=form, headers=sent)).status == 500


@BOTH
async def test_no_credentials(caller: Caller, api: str) -> None:
    answer = await caller.upload([ROW], api=api, headers={"X-Nothing": "1"})

    assert answer.status == 401
    assert answer.json["result"] == "KO"
    assert answer.json["message"].startswith("Access Denied. Please log in")


@BOTH
@pytest.mark.parametrize("login", [("anne", "wrong"), ("bob", "simulated"), ("anne", "")])
async def test_wrong_credentials(caller: Caller, served: Served, api: str, login: tuple[str, str]) -> None:
    answer = await caller.upload([ROW], api=api, headers={"Authorization": aiohttp.encode_basic_auth(*login)})

    assert answer.status == 401
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert not served.fluxtream.store.values


@BOTH
async def test_a_bearer_token_is_not_known(caller: Caller, api: str) -> None:
    answer = await caller.upload([ROW], api=api, headers={"Authorization": "Bearer x"})

    assert answer.status == 401
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.body.startswith(b"oAuth2: Sorry")


@BOTH
async def test_another_content_type(caller: Caller, api: str) -> None:
    path = f"{api}/bodytrack/upload"
    json = await caller.flux(path, "POST", json={})
    multipart = await caller.flux(path, "POST", data=_multipart())

    assert (json.status, json.body) == (415, b"")
    assert multipart.status == 500


def _multipart() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("data", b"[]", filename="x")
    return form


@BOTH
async def test_another_method(caller: Caller, api: str) -> None:
    answer = await caller.flux(f"{api}/bodytrack/upload")

    assert (answer.status, answer.body) == (405, b"")


async def test_a_compressed_body_is_not_understood(caller: Caller) -> None:
    sent = {**caller.basic, "Content-Type": FORM}

    answer = await caller.flux(
        "/api/bodytrack/upload", "POST", data=b"data=[]", headers=sent, compress="gzip"
    )
    assert answer.status == 500


def body_of(size: int) -> bytes:
    """A form that is right, and so many bytes long."""
    begin = b'dev_nickname=Netatmo_Porch&channel_names=["Temp_F"]&data=[[1700000000,1.5]]&padding='
    return begin + b"x" * (size - len(begin))


@pytest.mark.parametrize(("size", "status"), [(190_000, 200), (200_000, 200), (200_001, 401)])
async def test_a_form_that_jetty_will_not_read_looks_like_a_wrong_password(
    caller: Caller, size: int, status: int
) -> None:
    sent = {**caller.basic, "Content-Type": FORM}

    answer = await caller.flux("/api/bodytrack/upload", "POST", data=body_of(size), headers=sent)
    assert answer.status == status
    assert status == 200 or answer.body.decode() == (
        "oAuth2: Sorry, we couldn't authenticate your request: 400: Unable to parse form content"
    )


class TestUnderTomcat:
    @pytest.fixture
    def world(self) -> World:
        return World.of(estate(NOW, days=1), fluxtream=FluxtreamSettings(form_limit=None))

    async def test_a_form_can_be_large(self, caller: Caller) -> None:
        sent = {**caller.basic, "Content-Type": FORM}
        body = BytesIO(body_of(3_000_000))

        answer = await caller.flux("/api/bodytrack/upload", "POST", data=body, headers=sent)
        assert answer.status == 200

    async def test_unless_its_length_is_not_told(self, caller: Caller) -> None:
        async def drops() -> Any:
            yield body_of(3_000_000)

        sent = {**caller.basic, "Content-Type": FORM}

        answer = await caller.flux("/api/bodytrack/upload", "POST", data=drops(), headers=sent)
        assert answer.status == 500


async def test_percent_encoding_is_undone_and_a_bare_plus_is_a_blank(caller: Caller, served: Served) -> None:
    """`curl -d` does not encode, so that 1e+20 arrives as `1e 20`."""
    sent, path = {**caller.basic, "Content-Type": FORM}, "/api/bodytrack/upload"
    begin = b"dev_nickname=Netatmo_Porch&channel_names=%5b%22note%22%5d&data="

    bare = await caller.flux(path, "POST", data=begin + b"[[1,1e+20]]", headers=sent)
    whole = await caller.flux(
        path, "POST", data=begin + b"%5B%5B1%2C%22a%2Bb+%26%255B%22%5D%5D", headers=sent
    )
    assert bare.json["result"] == "KO"
    assert whole.json["result"] == "OK"
    assert served.fluxtream.store.texts[Cell(7, "Netatmo_Porch", "note")] == {1: "a+b &%5B"}


async def test_a_login_that_is_not_base64_is_a_wrong_one(caller: Caller) -> None:
    assert (await caller.flux("/api/guest", headers={"Authorization": "Basic ü"})).status == 401


@BOTH
async def test_the_guest_is_named(caller: Caller, api: str) -> None:
    answer = await caller.flux(f"{api}/guest")

    assert answer.status == 200
    assert answer.json == {
        "fullname": "Anne Example",
        "username": "anne",
        "firstname": "Anne",
        "lastname": "Example",
        "email": "anne@example.org",
        "roles": "[ROLE_USER]",
        "id": 7,
        "isBuddy": False,
        "avatar": None,
    }


async def test_the_mail_address_is_a_login_too(caller: Caller) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth("anne@example.org", "simulated")}

    assert (await caller.flux("/api/guest", headers=headers)).json["id"] == 7


async def test_a_guest_can_be_lost(caller: Caller, served: Served) -> None:
    served.fluxtream.faults.add(Fault.KO, "*/guest")

    legacy, v1 = await caller.flux("/api/guest"), await caller.flux("/api/v1/guest")
    assert (legacy.status, legacy.json["result"]) == (200, "KO")
    assert (v1.status, v1.body) == (401, b"You are no longer logged in")


async def test_without_a_cookie_each_call_makes_a_session(caller: Caller, served: Served) -> None:
    for _ in range(3):
        await caller.flux("/api/guest")

    assert len(served.fluxtream.sessions) == 3


async def test_a_cookie_that_comes_back_is_the_same_session(caller: Caller, served: Served) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        faithful = Caller(served, session)
        first = await faithful.flux("/api/guest")
        again = await faithful.upload([ROW])
        alone = await faithful.flux("/api/guest", headers={"X-Nothing": "1"})

    assert first.headers["Set-Cookie"].startswith("JSESSIONID=")
    assert "Set-Cookie" not in again.headers
    assert alone.json["id"] == 7
    assert len(served.fluxtream.sessions) == 1


@pytest.mark.parametrize("apis", ["legacy", "v1"])
class TestOneApiOnly:
    @pytest.fixture
    def world(self, apis: Any) -> World:
        return World.of(estate(NOW, days=1), fluxtream=FluxtreamSettings(apis=apis))

    async def test_the_other_is_a_page_that_is_not_there(self, caller: Caller, apis: str) -> None:
        statuses = {api: (await caller.flux(f"{api}/guest")).status for api in (LEGACY, V1)}

        assert statuses == {LEGACY: 200, V1: 404} if apis == "legacy" else {LEGACY: 404, V1: 200}


class TestFaults:
    async def test_a_stored_upload_whose_answer_is_lost(self, caller: Caller, served: Served) -> None:
        served.fluxtream.faults.add(Fault.RESET_AFTER, "*/upload", times=1)

        with pytest.raises(aiohttp.ClientOSError):
            await caller.upload([ROW])
        assert (await caller.upload([ROW])).json["result"] == "OK"
        assert served.fluxtream.store.writes(Cell(7, "Netatmo_Porch", "Temp_F"), NOW) == 2

    async def test_an_upload_that_is_lost_on_the_way(self, caller: Caller, served: Served) -> None:
        served.fluxtream.faults.add(Fault.RESET_BEFORE, "*/upload", times=1)

        with pytest.raises(aiohttp.ClientOSError):
            await caller.upload([ROW])
        assert not served.fluxtream.store.values
        assert not served.fluxtream.uploads

    @BOTH
    async def test_a_whole_batch_refused(self, caller: Caller, served: Served, api: str) -> None:
        served.fluxtream.faults.add(Fault.KO, "*/upload", times=1)

        assert refused(await caller.upload([ROW], api=api), api, "exception: refused as asked")
        assert not served.fluxtream.store.values
        assert [upload.outcome for upload in served.fluxtream.uploads] == ["KO"]

    @BOTH
    async def test_chosen_rows_refused(self, caller: Caller, served: Served, api: str) -> None:
        served.fluxtream.refused_times = {NOW + 1}
        with_it = await caller.upload([ROW, [NOW + 1, 1], [NOW + 2, 1]], api=api)
        without = await caller.upload([ROW, [NOW + 2, 1]], api=api)

        assert refused(with_it, api, "exception: refused as asked")
        assert without.status == 200
        assert served.fluxtream.store.values == {Cell(7, "Netatmo_Porch", "Temp_F"): {NOW: 60.62, NOW + 2: 1}}

    async def test_a_success_that_stores_nothing(self, caller: Caller, served: Served) -> None:
        served.fluxtream.faults.add(Fault.SWALLOWED, "*/upload")

        assert (await caller.upload([ROW])).json["result"] == "OK"
        assert not served.fluxtream.store.values
        assert [upload.outcome for upload in served.fluxtream.uploads] == ["swallowed"]

    async def test_the_password_is_wrong_from_now_on(self, caller: Caller, served: Served) -> None:
        assert (await caller.upload([ROW])).status == 200
        served.fluxtream.faults.add(Fault.UNAUTHORIZED)

        assert (await caller.upload([ROW])).status == 401
        assert (await caller.flux("/api/guest")).headers["WWW-Authenticate"]

    @pytest.mark.parametrize(
        ("fault", "status"), [(Fault.ERROR_500, 500), (Fault.ERROR_503, 503), (Fault.HTML_200, 200)]
    )
    async def test_pages_instead_of_answers(
        self, caller: Caller, served: Served, fault: Fault, status: int
    ) -> None:
        served.fluxtream.faults.add(fault, user="anne", holding="Netatmo_Porch", times=1)

        answer = await caller.upload([ROW])
        assert (answer.status, answer.body[:6]) == (status, b"<html>")
        assert not served.fluxtream.store.values


async def test_uploads_are_written_down(caller: Caller, served: Served) -> None:
    await caller.upload([[NOW + 5, 1, 2], [*ROW, 3], [NOW + 2, 4, 5]], ["Temp_F", "RH"])

    (upload,) = served.fluxtream.uploads
    assert (upload.device, upload.channels, upload.outcome) == ("Netatmo_Porch", ("Temp_F", "RH"), "OK")
    assert (upload.time, upload.rows, upload.times) == (NOW, 3, (NOW + 5, NOW, NOW + 2))
    assert 100 < upload.size < 200
    assert [call.user for call in served.fluxtream.ledger.calls] == ["anne"]
    assert "data" not in served.fluxtream.ledger.calls[0].params


class TestReadLater:
    @pytest.fixture
    def world(self) -> World:
        return World.of(estate(NOW, days=1), fluxtream=FluxtreamSettings(read_later=True))

    async def test_uploads_are_read_when_the_store_is(self, caller: Caller, served: Served) -> None:
        await caller.upload([ROW])

        assert served.fluxtream.store.values == {Cell(7, "Netatmo_Porch", "Temp_F"): {NOW: 60.62}}

    async def test_nonsense_is_found_then(self, caller: Caller, served: Served) -> None:
        assert (await caller.upload([[NOW, 1, 2]])).json["result"] == "OK"

        with pytest.raises(BatchRefused):
            _ = served.fluxtream.store

    async def test_all_can_be_forgotten(self, caller: Caller, served: Served) -> None:
        await caller.upload([ROW])
        served.fluxtream.forget()

        assert not served.fluxtream.store.values
