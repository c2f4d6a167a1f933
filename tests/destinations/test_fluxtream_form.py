"""The form by hand against the standard library's reading of it."""

import json
import re
from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.model import Batch, ChannelName, DeviceName, Number, Row
from netaflux.destinations.fluxtream.form import form, require_sound

names = st.from_regex(r"[0-9A-Za-z_]{1,40}", fullmatch=True)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    channels = draw(st.lists(names.map(ChannelName), min_size=1, max_size=4, unique=True))
    times = sorted(draw(st.sets(st.integers(1, 10**10 - 1), max_size=20)))
    cells = st.tuples(*(numbers for _ in channels))
    return Batch(DeviceName(draw(names)), tuple(channels), [Row(time, draw(cells)) for time in times])


def told(body: bytes) -> tuple[str, list[str], list[list[Number]]]:
    fields = parse_qs(body.decode("ascii"), strict_parsing=True)
    assert list(fields) == ["dev_nickname", "channel_names", "data"]
    ((device,), (channels,), (data,)) = fields.values()
    return device, json.loads(channels), json.loads(data)


@given(batches())
def test_a_form_says_what_the_batch_holds(batch: Batch) -> None:
    require_sound(batch)

    body = form(batch, batch.rows)

    rows = [[row.time, *row.values] for row in batch.rows]
    assert told(body) == (batch.device, list(batch.channels), rows)
    assert repr(told(body)[2]) == repr(rows)  # 57 and 57.0 are equal, but not the same to a person


@given(batches())
def test_a_form_holds_nothing_that_a_server_could_read_otherwise(batch: Batch) -> None:
    body = form(batch, batch.rows).decode("ascii")

    assert re.fullmatch(r"dev_nickname=\w+&channel_names=[\w%]+&data=[\w%.-]+", body)


def test_a_form_is_as_short_as_exact() -> None:
    batch = Batch(DeviceName("D"), (ChannelName("C"),), [Row(1, (60.62,)), Row(2, (1e20,)), Row(3, (5,))])

    assert form(batch, batch.rows[1:]) == (
        b"dev_nickname=D&channel_names=%5B%22C%22%5D&data=%5B%5B2%2C1e%2B20%5D%2C%5B3%2C5%5D%5D"
    )
