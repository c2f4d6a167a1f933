import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import (
    Busy,
    DeviceUnreachable,
    NetatmoError,
    NotFound,
    QuotaReached,
    RequestRefused,
    ScopeDenied,
    TokenRejected,
    UpstreamFault,
)
from netaflux.http import Answer
from netaflux.netatmo.errors import envelope_of

HTML = b"<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n</html>"


def refusal(status: int, code: object, text: object = "why") -> Answer:
    return answer(status, {"error": {"code": code, "message": text}})


def answer(status: int, content: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, content if isinstance(content, bytes) else json.dumps(content).encode())


def meaning(given: Answer) -> NetatmoError:
    with pytest.raises(NetatmoError) as caught:
        envelope_of(given, "getmeasure")
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 1, RequestRefused),  # access token missing
        (400, 10, RequestRefused),  # missing arguments
        (400, 21, NotFound),  # invalid id
        (400, 25, RequestRefused),  # invalid date
        (400, 37, RequestRefused),  # no more space on camera
        (401, 2, TokenRejected),  # invalid token
        (401, 3, TokenRejected),  # expired token
        (401, 99, RequestRefused),
        (403, -2, TokenRejected),
        (403, -1, TokenRejected),
        (403, 1, TokenRejected),
        (403, 2, TokenRejected),
        (403, 3, TokenRejected),  # how an expired token comes in practice
        (403, 13, ScopeDenied),
        (403, 26, QuotaReached),  # until 2025
        (403, 30, RequestRefused),  # invalid refresh token
        (403, 35, RequestRefused),
        (403, 41, DeviceUnreachable),
        (404, 9, NotFound),
        (404, 19, NotFound),
        (404, 31, NotFound),
        (404, 404, NotFound),
        (406, 5, RequestRefused),  # application deactivated
        (406, 7, RequestRefused),  # nothing to modify
        (406, 6, DeviceUnreachable),
        (429, 11, Busy),
        (429, 26, QuotaReached),
        (429, 28, QuotaReached),
        (429, 29, QuotaReached),
        (429, 77, Busy),
        (500, 11, UpstreamFault),  # means something else than with 429
        (500, 26, UpstreamFault),
        (500, 40, UpstreamFault),
        (503, 50, UpstreamFault),
        (200, 3, TokenRejected),
        (200, 6, DeviceUnreachable),
        (200, 13, ScopeDenied),
        (200, 26, QuotaReached),
        (200, 1, UpstreamFault),
        (302, 3, UpstreamFault),
    ],
)
def test_an_error_is_told_by_status_and_code(status: int, code: int, expected: type[NetatmoError]) -> None:
    error = meaning(refusal(status, code))

    assert type(error) is expected
    assert (error.status, error.code) == (status, code)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 500, 502, 503])
@pytest.mark.parametrize(
    "content", [HTML, b"", b'{"body":[{"beg_', b"null", b"[]", b'"ok"', b"{}", b'{"error":7}', b"\xff\xfe"]
)
def test_what_cannot_be_read_is_a_fault_whatever_its_status(status: int, content: bytes) -> None:
    """Above all no 403 of a proxy may cost a refresh of the tokens."""
    assert type(meaning(answer(status, content))) is UpstreamFault


@pytest.mark.parametrize("content", [HTML, b"", b"{}"])
def test_too_many_requests_is_busy_without_a_word(content: bytes) -> None:
    assert type(meaning(answer(429, content))) is Busy


def test_the_text_decides_nothing() -> None:
    texts = ["User usage reached", "Maximum api usage reached", "", None, "Access token expired"]

    assert {type(meaning(refusal(429, 26, text))) for text in texts} == {QuotaReached}


@pytest.mark.parametrize("code", ["3", 3.5, None, True, [3], {"is": 3}])
def test_a_code_that_is_no_number_is_none(code: object) -> None:
    error = meaning(refusal(403, code))

    assert type(error) is RequestRefused
    assert error.code is None


def test_an_error_may_be_a_string() -> None:
    error = meaning(answer(400, {"error": "invalid_request"}))

    assert type(error) is RequestRefused
    assert "invalid_request" in error.message


def test_line_breaks_within_the_json_are_common() -> None:
    body = b'{\r\n  "error": {\r\n    "code": 3,\r\n    "message": "Access token expired"\r\n  }\r\n}'

    assert type(meaning(answer(403, body))) is TokenRejected


def test_a_wish_to_wait_is_kept() -> None:
    assert meaning(answer(429, {"error": {"code": 26}}, Retry_After="120")).retry_after == 120
    assert meaning(answer(503, HTML, Retry_After="30")).retry_after == 30
    assert meaning(answer(503, HTML, Retry_After="soon")).retry_after is None


def test_the_message_names_endpoint_status_code_and_reason_on_one_short_line() -> None:
    error = meaning(refusal(403, 13, "Operation\r\nis \x1b[31mforbidden" + "!" * 999))

    assert error.message.startswith(
        "Netatmo answers getmeasure with HTTP 403, code 13: Operation is [31mforbidden!"
    )
    assert len(error.message) < 300


@pytest.mark.parametrize("status", ["failed", None, 1, "OK"])
def test_a_good_status_with_a_bad_word_is_a_fault(status: object) -> None:
    assert type(meaning(answer(200, {"status": status, "body": []}))) is UpstreamFault


@pytest.mark.parametrize("body", [[], {}, {"devices": []}])
def test_a_good_answer_is_handed_over_whole(body: object) -> None:
    envelope = {"status": "ok", "body": body, "time_server": 5}

    assert envelope_of(answer(200, envelope), "getmeasure") == envelope


def test_a_good_answer_may_have_no_body() -> None:
    assert envelope_of(answer(200, {"status": "ok"}), "getmeasure") == {"status": "ok"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.integers(100, 599), st.fixed_dictionaries({}, optional={"error": json_values, "status": json_values})
)
def test_no_answer_raises_anything_but_our_errors(status: int, content: dict[str, object]) -> None:
    given_answer = answer(status, content)
    if status == 200 and "error" not in content and content.get("status") == "ok":
        assert envelope_of(given_answer, "getmeasure") == content
    else:
        assert meaning(given_answer).status == status


def test_a_token_that_the_server_repeats_is_not_repeated_by_us() -> None:
    body = {"error": {"code": 13, "message": "bad application canary|token"}}

    with pytest.raises(ScopeDenied) as caught:
        envelope_of(answer(403, body), "getmeasure", secret="canary|token")

    assert "bad application ***" in caught.value.message
