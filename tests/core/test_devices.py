"""Identity is the MAC: what a device mirrors, through renames and new hardware."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.channels import CATALOGUE
from netaflux.core.devices import Device, Missing, bind, find, identify, module_id, target
from netaflux.core.model import (
    Binding,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Module,
    ModuleId,
    Series,
)
from netaflux.core.since import read_since
from netaflux.core.spans import FOREVER, Spans
from tests.fakes import ACCOUNT, a_module

NOW = 1_700_000_000
DAY = 86_400
PORCH = a_module(1, name="Porch")
OFFICE = a_module(2, name="Office", kind="NAModule4")
NEW_PORCH = a_module(9, name="Porch")
SET_UP = 1_400_000_000


def device(module: str = "AR Home/Porch", since: object = "setup", channels: object = None) -> Device:
    return Device(
        name=DeviceName("Netatmo_Porch"),
        module=module,
        channels=channels,  # type: ignore[arg-type]  # names, or None
        since=read_since(since),
        account=ACCOUNT,
        destinations=(DestinationName("fluxtream"),),
    )


def bound(
    module: Module = PORCH,
    text: str = "AR Home/Porch",
    *,
    since: str = "setup",
    begin: int = 0,
    floor: int = 0,
) -> Binding:
    return Binding(
        device=DeviceName("Netatmo_Porch"),
        module=module.id,
        account=ACCOUNT,
        module_text=text,
        since_text=since,
        begin=begin,
        floor=floor,
    )


# --- names and ids ---


@pytest.mark.parametrize(
    "text",
    ["02:00:00:00:00:01", "02:00:00:00:00:01 ", "02-00-00-00-00-01", "02: 00:00:00:00:01"],
)
def test_an_id_is_read_as_people_write_it(text: str) -> None:
    assert find(text, [PORCH, OFFICE]) == [PORCH]


def test_an_id_in_capitals_is_the_same_id() -> None:
    assert module_id("70-EE-50-AB-CD-EF") == ModuleId("70:ee:50:ab:cd:ef")


@pytest.mark.parametrize(
    "text", ["AR Home/Porch", " AR Home/Porch ", "ar home/porch", "AR  Home/PORCH", "My home/Porch"]
)
def test_a_module_is_found_by_station_or_home_and_name(text: str) -> None:
    porch = a_module(1, name="Porch", places=("AR Home", "My home"))

    assert find(text, [OFFICE, porch]) == [porch]


@pytest.mark.parametrize(
    "text", ["Porch", "AR Home", "AR Home/", "/Porch", "AR Home/Porch/", "AR Home/Por", ""]
)
def test_parts_of_a_name_find_nothing(text: str) -> None:
    assert find(text, [PORCH, OFFICE]) == []


def test_names_match_as_a_whole_and_are_never_split_at_the_slash() -> None:
    """The notebook's own account has a station `Lv/Basement`."""
    indoor = a_module(3, name="Indoor", places=("Lv/Basement",))
    confusing = a_module(4, name="Basement/Indoor", places=("Lv Home",))

    assert find("Lv/Basement/Indoor", [indoor, confusing]) == [indoor]
    assert find("Lv Home/Basement/Indoor", [indoor, confusing]) == [confusing]


def test_the_same_title_of_two_pairs_is_two_modules() -> None:
    one = a_module(3, name="Basement/Indoor", places=("Lv",))
    other = a_module(4, name="Indoor", places=("Lv/Basement",))

    assert find("Lv/Basement/Indoor", [one, other]) == [one, other]


def test_exact_spelling_goes_before_a_similar_one() -> None:
    shouting = a_module(3, name="PORCH")

    assert find("AR Home/Porch", [shouting, PORCH]) == [PORCH]
    assert find("ar home/porch", [shouting, PORCH]) == [shouting, PORCH]


def test_a_module_without_a_name_is_found_by_its_id_alone() -> None:
    nameless = a_module(3, name=None)  # type: ignore[arg-type]  # as the survey has it

    assert nameless.titles == ()
    assert find(nameless.id, [nameless]) == [nameless]


# --- which module a device mirrors ---


def test_a_device_mirrors_the_module_of_its_name() -> None:
    assert identify(device(), [PORCH, OFFICE], None) is PORCH


def test_a_renamed_module_is_still_mirrored() -> None:
    renamed = a_module(1, name="Veranda")

    assert identify(device(), [renamed, OFFICE], bound()) is renamed


def test_a_name_that_has_moved_to_another_module_is_new_hardware() -> None:
    renamed = a_module(1, name="Old porch")

    assert identify(device(), [renamed, NEW_PORCH], bound()) is NEW_PORCH


def test_a_text_that_has_changed_is_looked_up_anew() -> None:
    """The person has named another module: the binding of the old text says nothing about it."""
    assert identify(device("AR Home/Office"), [PORCH, OFFICE], bound()) is OFFICE
    assert isinstance(identify(device("AR Home/Ofice"), [PORCH, OFFICE], bound()), Missing)


def test_a_text_that_means_the_same_module_in_other_words_goes_on() -> None:
    assert identify(device(PORCH.id), [PORCH, OFFICE], bound()) is PORCH


def test_two_modules_of_one_name_are_nobodys_guess() -> None:
    missing = identify(device(), [PORCH, NEW_PORCH], None)

    assert isinstance(missing, Missing)
    assert missing.device == "Netatmo_Porch"
    assert PORCH.id in missing.reason
    assert NEW_PORCH.id in missing.reason


def test_of_two_modules_of_one_name_the_bound_one_is_kept() -> None:
    assert identify(device(), [NEW_PORCH, PORCH], bound()) is PORCH


def test_two_modules_of_one_name_and_the_bound_one_renamed_are_nobodys_guess() -> None:
    renamed, third = a_module(1, name="Veranda"), a_module(8, name="Porch")

    assert isinstance(identify(device(), [renamed, NEW_PORCH, third], bound()), Missing)


def test_a_module_that_is_gone_is_missing_and_near_names_are_offered() -> None:
    missing = identify(device("AR Home/Proch"), [PORCH, OFFICE], None)

    assert isinstance(missing, Missing)
    assert "AR Home/Proch" in missing.reason
    assert "AR Home/Porch" in missing.reason


@pytest.mark.parametrize("text", ["Porch", "porch", "Proch", "My house/Porch", "1 Street/Prch"])
def test_the_name_of_a_module_alone_is_answered_with_its_whole_title(text: str) -> None:
    """Commands that only read take `Porch`; a device, which is for years, does not."""
    missing = identify(device(text), [PORCH, OFFICE], None)

    assert isinstance(missing, Missing)
    assert f"no module `{text}` in this account; did you mean `AR Home/Porch`?" in missing.reason


def test_of_modules_of_one_name_all_titles_are_offered() -> None:
    elsewhere = a_module(3, name="Porch", places=("Cabin",))
    missing = identify(device("Porch"), [PORCH, elsewhere, OFFICE], None)

    assert isinstance(missing, Missing)
    assert "did you mean `AR Home/Porch` or `Cabin/Porch`?" in missing.reason


def test_nothing_is_offered_where_nothing_is_near_or_has_a_name() -> None:
    nameless = a_module(3, name=None)  # type: ignore[arg-type]  # as the survey has it
    missing = identify(device("Cellar"), [PORCH, nameless], None)

    assert isinstance(missing, Missing)
    assert "did you mean" not in missing.reason


def test_a_bound_module_that_has_left_the_account_is_missing() -> None:
    assert isinstance(identify(device(), [OFFICE], bound()), Missing)


def test_an_account_without_modules_has_none() -> None:
    assert isinstance(identify(device(), [], None), Missing)


# --- bindings ---


def test_the_first_binding_begins_where_since_says() -> None:
    binding = bind(device(since="30d"), PORCH, None, None, NOW)

    assert binding == bound(since="30d", begin=NOW - 30 * DAY)


def test_setup_begins_a_day_before_the_station_was_installed() -> None:
    assert bind(device(), PORCH, None, None, NOW).begin == SET_UP - DAY


def test_a_span_is_resolved_once_per_binding() -> None:
    first = bind(device(since="30d"), PORCH, None, None, NOW)

    assert bind(device(since="30d"), PORCH, first, NOW, NOW + 9 * DAY) == first


@pytest.mark.parametrize(("since", "begin"), [("60d", NOW - 60 * DAY), ("10d", NOW - 10 * DAY)])
def test_another_since_is_resolved_anew(since: str, begin: int) -> None:
    first = bind(device(since="30d"), PORCH, None, None, NOW)

    assert bind(device(since=since), PORCH, first, NOW, NOW).begin == begin


def test_a_rename_changes_nothing() -> None:
    first = bind(device(since="30d"), PORCH, None, None, NOW)

    assert bind(device(since="30d"), a_module(1, name="Veranda"), first, NOW, NOW + DAY) == first


def test_other_words_for_the_same_module_change_only_the_words() -> None:
    first = bind(device(since="30d"), PORCH, None, None, NOW)

    again = bind(device(PORCH.id, since="30d"), PORCH, first, NOW, NOW + DAY)

    assert (again.module_text, again.begin, again.floor) == (PORCH.id, first.begin, first.floor)


def test_a_new_module_begins_after_the_last_delivered_row_of_the_one_before() -> None:
    binding = bind(device(since="setup"), NEW_PORCH, bound(), NOW - 500, NOW)

    assert (binding.module, binding.begin, binding.floor) == (NEW_PORCH.id, NOW - 499, NOW - 499)


def test_a_new_module_may_be_wanted_from_later_on() -> None:
    binding = bind(device(since=NOW - 100), NEW_PORCH, bound(), NOW - 500, NOW)

    assert (binding.begin, binding.floor) == (NOW - 100, NOW - 499)


def test_where_nothing_was_delivered_the_new_module_has_it_all() -> None:
    binding = bind(device(), NEW_PORCH, bound(), None, NOW)

    assert (binding.begin, binding.floor) == (SET_UP - DAY, 0)


def test_a_third_module_that_comes_before_the_second_has_delivered_begins_where_that_one_began() -> None:
    """No second is lost by it."""
    second = bind(device(), NEW_PORCH, bound(), NOW - 500, NOW)

    third = bind(device(), a_module(10, name="Porch"), second, NOW - 500, NOW)

    assert third.floor == second.floor == NOW - 499


def test_a_module_that_comes_back_begins_after_its_stand_in() -> None:
    stand_in = bind(device(), NEW_PORCH, bound(), NOW - 500, NOW)

    back = bind(device(), PORCH, stand_in, NOW - 50, NOW)

    assert (back.module, back.floor) == (PORCH.id, NOW - 49)


def test_an_earlier_since_never_reaches_below_the_floor() -> None:
    binding = bound(NEW_PORCH, since="10d", begin=NOW - 10 * DAY, floor=NOW - 20 * DAY)

    assert bind(device(since="90d"), NEW_PORCH, binding, NOW, NOW).begin == NOW - 20 * DAY


@given(
    floor=st.integers(0, NOW),
    delivered=st.none() | st.integers(0, NOW),
    since=st.sampled_from(["setup", "1d", "9000d", "2014-05-18", str(NOW)]),
    same=st.booleans(),
)
def test_no_binding_reaches_into_what_stands_there_already(
    floor: int, delivered: int | None, since: str, *, same: bool
) -> None:
    module = PORCH if same else NEW_PORCH

    binding = bind(device(since=since), module, bound(floor=floor, since="30d"), delivered, NOW)

    assert binding.floor <= binding.begin
    if same or delivered is None:
        assert binding.floor == floor
    else:
        assert binding.floor == max(floor, delivered + 1)


# --- what its errands need ---


def test_by_default_a_device_has_every_channel_that_its_module_can_give() -> None:
    aim = target(device(), PORCH, bound(begin=7, floor=3), CATALOGUE)

    names = {channel.name for channel in aim.channels}
    assert names == {"Temp_C", "Temp_F", "RH", "Dew_C", "Dew_F", "H2O_ppm", "H2O_gm3", "H2O_oz_ft3"}
    assert (aim.begin, aim.floor, aim.wanted) == (7, 3, Spans((7, FOREVER)))


def test_configured_channels_keep_their_order_and_impossible_ones_are_left_out() -> None:
    names = tuple(map(ChannelName, ("RH", "CO2", "Temp_F")))

    aim = target(device(channels=names), PORCH, bound(), CATALOGUE)

    assert [channel.name for channel in aim.channels] == ["RH", "Temp_F"]
    home = DestinationId("fluxtream:here#7")
    assert aim.series(home) == (Series(home, aim.device, names[0]), Series(home, aim.device, names[2]))
