"""What tells who and where somebody is does not get past the veil."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from netaflux.core.masking import MASK
from netaflux.core.veil import Veil

MAC = "70:ee:50:0A:bc:1f"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mirrors Home Anne/Bed room: Temp_F", "mirrors name-1: Temp_F"),
        ("bed room and HOME ANNE", "name-3 and name-2"),
        ("the bed roomy home", "the bed roomy home"),
        ("write to anne.x+y@mail.example.org now", f"write to {MASK} now"),
        ("at 47.37690, 8.54170 or so", f"at {MASK} or so"),
        ("('203.0.113.7', 443)", "('203.0.113.7', 443)"),
        ("('8.8.8.8', 443)", f"('{MASK}', 443)"),
        ("2001:4860:4860::8888.", f"{MASK}"),
        ("192.168.1.7 and 127.0.0.1", "192.168.1.7 and 127.0.0.1"),
        ("2026-11-27T15:56:02.123Z", "2026-11-27T15:56:02.123Z"),
        ("/home/anne/.config/netaflux", "~/.config/netaflux"),
    ],
)
def test_each_form_has_its_mask(text: str, told: str) -> None:
    assert Veil(["Home Anne/Bed room"], home="/home/anne/").text(text) == told


def test_a_name_that_holds_an_address_is_masked_as_a_whole() -> None:
    assert (
        Veil(["anne@x.example (Anne Rea), guest 7"]).text("as anne@x.example (Anne Rea), guest 7")
        == "as name-1"
    )


def test_a_station_whose_name_has_a_slash_is_known_by_its_parts() -> None:
    told = Veil(["Lv/Basement/Indoor"]).text("Lv/Basement, Lv, Basement, Indoor")

    assert not any(name in told for name in ("Lv", "Basement", "Indoor"))


def test_a_module_stays_the_same_module() -> None:
    veil = Veil()
    first, other = veil.text(MAC), veil.text("70:ee:50:00:00:02")

    assert (first, other) == ("module-1", "module-2")
    assert veil.text(f"{MAC.upper()} again") == "module-1 again"


def test_what_stands_under_a_key_of_a_place_is_not_told() -> None:
    data = {"latitude": 47.4, "home": "x", "username": "anne", "location": [8.5, 47.4], "city": None}

    assert Veil().data(data) == {
        "latitude": MASK,
        "home": MASK,
        "username": MASK,
        "location": MASK,
        "city": None,
    }


def test_the_rest_stays_as_it_is() -> None:
    data = {"rows": 3, "values": [1.5, None, True], "text": "poll.failed", "nested": {"a": [{"b": "c"}]}}

    assert Veil(["Home/x"]).data(data) == data


@pytest.mark.parametrize("text", ["version 999.1.2.3", "at 1.2.3.4.5", "1:2:3:4:5:6:7:8:9"])
def test_what_only_looks_like_an_address_stays(text: str) -> None:
    assert Veil([]).data(text) == text


NAMES = some.text(some.characters(categories=["L", "N"]), min_size=2)


def anything_with(name: str) -> some.SearchStrategy[tuple[str, object]]:
    """Plain data of any shape, with the name in every text."""
    within = some.recursive(
        some.just(f"is {name}."), lambda below: some.lists(below) | some.dictionaries(NAMES, below)
    )
    return some.tuples(some.just(name), within)


@given(NAMES.flatmap(anything_with))
def test_a_name_is_nowhere(drawn: tuple[str, object]) -> None:
    """Not in a text, however deep, nor as a key."""
    name, data = drawn
    told = json.dumps(Veil([name]).data({"a": data, name: 1}), ensure_ascii=False)

    assert f"is {name}." not in told
    assert f'"{name}":' not in told or name == "a"
