"""Answers of Netatmo that something has happened to: read, or refused in our words, whatever it was.

Here all of an answer may be damaged, in its bytes as well; what a single wrong field may cost is asked of
each kind of answer in the tests of its module.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import NetafluxError
from netaflux.core.model import Measure, Window
from netaflux.http import Answer
from netaflux.netatmo.camera_events import events_of
from netaflux.netatmo.cameras import homes_of_old
from netaflux.netatmo.errors import Envelope, envelope_of
from netaflux.netatmo.homes import homes_of, with_status
from netaflux.netatmo.rows import TimesUntold, page_of
from netaflux.netatmo.stations import survey_of
from tests.damage import bodies, damaged
from tests.netatmo.token_world import answering, token_world
from tests.netatmo.world import ANNE, payload

MEASURES = (Measure("Temperature"), Measure("Humidity"))
BEGIN = 1763700000
ERROR = {"error": {"code": 26, "message": "usage reached by c4nary"}, "status": "ok", "body": []}
REFUSAL = {"error": "invalid_grant", "error_description": "c4nary"}

Read = Callable[[Envelope], object]


def page(envelope: Envelope) -> object:
    with suppress(TimesUntold):  # asked once more in the other shape
        return page_of(envelope, MEASURES, Window(BEGIN), BEGIN)
    return None


def homes_now(envelope: Envelope) -> object:
    return [with_status(home, envelope) for home in homes_of(payload("homes/homesdata"))]


READERS: dict[str, Read] = {
    "stations/NAMain": lambda envelope: survey_of(envelope, ANNE),
    "stations/NAModule1": lambda envelope: survey_of(envelope, ANNE),
    "measures/NAModule1": page,
    "measures/by_time": page,
    "homes/homesdata": homes_of,
    "homes/homestatus": homes_now,
    "events/getevents": events_of,
    "events/gethomedata": homes_of_old,
}
"""Who reads an answer of this kind."""


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_a_damaged_answer_is_read_or_refused_in_our_words(name: str, data: st.DataObject) -> None:
    body = data.draw(bodies(payload(name)))

    with suppress(NetafluxError):
        READERS[name](envelope_of(Answer(200, {}, body), name))


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 406, 429, 500, 503])
@given(body=bodies(ERROR), after=st.text())
def test_a_damaged_refusal_is_one_of_ours_on_one_line(status: int, body: bytes, after: str) -> None:
    answer, message = Answer(status, {"Retry-After": after}, body), ""
    try:
        envelope = envelope_of(answer, "getmeasure", secret="c4nary")
    except NetafluxError as error:
        message = error.message

    assert message.isprintable()
    assert "c4nary" not in message
    assert message or (status, envelope["status"]) == (200, "ok")


PAIR = {
    "access_token": "5e7c|access",
    "refresh_token": "5e7c|refresh",
    "scope": ["read_station"],
    "expires_in": 10800,
    "expire_in": 10800,
}


@given(
    sent=st.lists(st.sampled_from([PAIR, REFUSAL]).flatmap(bodies), min_size=5, max_size=5),
    good=st.booleans(),
)
def test_a_damaged_answer_to_a_refresh_is_a_pair_that_was_sent_or_none(sent: list[bytes], good: bool) -> None:  # noqa: FBT001 - hypothesis names it
    async def main() -> None:
        async with token_world() as world:
            world.netatmo.moods.extend(answering(200 if good else 400, each) for each in sent)
            for each in sent:
                with suppress(NetafluxError):
                    pair = await world.endpoint().refresh("c4nary")
                    assert {pair.access, pair.refresh} <= set(map(str, orjson.loads(each).values()))
                    assert 0 < pair.lifetime < 1e9

    asyncio.run(main())


def numbers(value: object) -> Iterator[float]:
    """Every number in a tree."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    inner: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from numbers(each)


@pytest.mark.parametrize("name", ["measures/NAModule1", "measures/by_time"])
@given(data=st.data())
def test_no_value_comes_out_that_is_not_in_a_damaged_answer(name: str, data: st.DataObject) -> None:
    told = data.draw(damaged(payload(name)))
    with suppress(NetafluxError, TimesUntold):
        found = page_of(told, MEASURES, Window(BEGIN), BEGIN)

        held = {value for row in found.rows for value in row.values if value is not None}
        assert held <= set(numbers(told))
        assert [row.time for row in found.rows] == sorted({row.time for row in found.rows})
