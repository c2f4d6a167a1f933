"""What happens at Netatmo and in the configuration after the first `sync` costs only what has changed."""

from math import inf
from pathlib import Path
from typing import Any

import pytest

from netaflux.commands.status import status
from netaflux.core import events
from netaflux.core.errors import CredentialsRefused
from netaflux.simulator import Account, Change, FluxtreamSettings, Late, User, World, estate
from tests.e2e.household import NOW, Household, household, performed, roomy
from tests.e2e.houses import BASE, PORCH, house_of, module_of
from tests.e2e.notebook import FORMULAS, Formula, Mirror, differences, expected, held

ROWS = 600
AIR = ["Temp_F", "RH", "H2O_ppm"]


@pytest.fixture
def world() -> World:
    """An indoor unit and a porch that go on measuring."""
    house = house_of(module_of(ROWS, NOW, gaps=()), module_of(ROWS, NOW, kind="NAModule1", gaps=()))
    return World.of(house, netatmo=roomy())


@pytest.fixture
async def home(world: World, tmp_path: Path) -> Any:
    async with household(world, tmp_path) as somebody:
        somebody.devices = [{"name": "Netatmo_Porch", "module": PORCH, "channels": AIR}]
        yield somebody


def new_uploads(home: Household, since: int) -> list[Any]:
    return list(home.served.fluxtream.uploads)[since:]


def there(home: Household) -> int:
    """How many rows Netatmo has of the porch now."""
    return len(home.served.house.rows(PORCH, 0, inf, home.clock.now()))


def uploads(home: Household) -> int:
    return len(home.served.fluxtream.uploads)


async def test_what_has_appeared_since_arrives_and_nothing_else(home: Household) -> None:
    await home.sync()
    home.clock.time += 1800

    result = await home.sync()

    assert [line["rows"] for line in result["devices"]] == [6]
    assert home.differences() == []


async def test_rows_that_come_late_within_the_hour_arrive_with_the_next_sync(home: Household) -> None:
    late = Late(NOW - 2400, NOW - 900, NOW + 60)
    home.served.house.change(PORCH, late=(late,))
    first = await home.sync()
    assert home.differences() == []

    home.clock.time += 600
    result = await home.sync()

    assert home.differences() == []
    assert first["devices"][0]["rows"] + result["devices"][0]["rows"] == there(home)
    assert [event.rows for event in home.told(events.RowsArrivedLate)] == [5]


async def test_a_row_that_changes_within_the_hour_is_sent_once_more(home: Household) -> None:
    await home.sync()
    time = home.served.house.rows(PORCH, NOW - 1800, NOW, NOW)[0].time
    home.served.house.change(PORCH, changes=(Change(time, "Temperature", -12.5),))

    home.clock.time += 60
    result = await home.sync()

    assert home.served.fluxtream.store.again.total() == len(AIR)
    home.served.fluxtream.store.again.clear()
    assert home.differences() == []
    assert [line["rows"] for line in result["devices"]] == [1]


async def test_a_cell_that_becomes_null_is_no_change(home: Household) -> None:
    """Netatmo forgets a value now and then; what was true stays true."""
    await home.sync()
    before = held(home.served.fluxtream)
    time = home.served.house.rows(PORCH, NOW - 1800, NOW, NOW)[0].time
    home.served.house.change(PORCH, changes=(Change(time, "Temperature", None),))

    home.clock.time += 60
    await home.sync()

    assert held(home.served.fluxtream) == before


async def test_a_cell_that_was_null_is_filled_when_its_value_comes(home: Household) -> None:
    time = home.served.house.rows(PORCH, NOW - 1800, NOW, NOW)[0].time
    home.served.house.change(PORCH, changes=(Change(time, "Humidity", None),))
    await home.sync()
    assert home.differences() == []
    home.served.house.change(PORCH, changes=())

    home.clock.time += 60
    await home.sync()

    assert home.differences()[:-1] == []
    assert home.served.fluxtream.store.again.total() == 1  # the temperature, which came with it


@pytest.mark.parametrize("chosen", [[], ["Netatmo_Porch"]])
async def test_a_late_row_reaches_every_device_that_mirrors_the_module(
    home: Household, chosen: list[str]
) -> None:
    """Also when only one of them was synced when it came."""
    home.devices.append({"name": "Porch_too", "module": PORCH, "channels": ["Temp_C"]})
    home.served.house.change(PORCH, late=(Late(NOW - 2400, NOW - 900, NOW + 60),))
    await home.sync()

    home.clock.time += 600
    await home.sync(devices=chosen)
    await home.sync()

    assert home.differences() == []


async def test_a_late_row_reaches_the_devices_of_all_accounts_that_see_the_module(tmp_path: Path) -> None:
    """A station that is shared with a friend is in both accounts."""
    house = house_of(module_of(ROWS, NOW, gaps=(), late=(Late(NOW - 2400, NOW - 900, NOW + 60),)))
    people = [Account("default", house), Account("friend", house)]
    world = World(accounts=people, users=[User(username="anne", password="secret", guest=7)], netatmo=roomy())
    async with household(world, tmp_path) as home:
        home.sections["netatmo.accounts.friend"] = {"refresh_token": home.served.refresh_tokens["friend"]}
        home.devices = [
            {"name": "Mine", "module": BASE, "channels": AIR},
            {"name": "Theirs", "module": BASE, "channels": AIR, "account": "friend"},
        ]
        await home.sync()
        assert home.differences() == []

        home.clock.time += 600
        await home.sync()
        await home.sync()

        assert home.differences() == []


async def test_a_new_channel_is_backfilled_alone(home: Household) -> None:
    await home.sync()
    before = uploads(home)
    home.devices[0]["channels"] = [*AIR, "Dew_C"]

    result = await home.sync()

    assert home.differences() == []
    assert {upload.channels for upload in new_uploads(home, before)} == {("Dew_C",)}
    assert [line["rows"] for line in result["devices"]] == [there(home)]


async def test_an_earlier_since_brings_what_lies_before(home: Household) -> None:
    home.devices[0]["since"] = "12h"
    await home.sync()
    assert home.differences([Mirror("Netatmo_Porch", PORCH, AIR, begin=NOW - 12 * 3600)]) == []
    before = uploads(home)

    home.devices[0]["since"] = "30h"
    await home.sync()

    assert home.differences([Mirror("Netatmo_Porch", PORCH, AIR, begin=NOW - 30 * 3600)]) == []
    assert max(max(upload.times) for upload in new_uploads(home, before)) < NOW - 12 * 3600


async def test_since_is_resolved_once(home: Household) -> None:
    """`12h` means the twelve hours before the device was first found, not before each run."""
    home.devices[0]["since"] = "12h"
    begin = NOW - 12 * 3600
    home.served.fluxtream.faults.add("503", "*upload")
    await home.sync()
    home.served.fluxtream.faults.clear()

    home.clock.time += 6 * 3600
    await home.sync()

    assert home.differences([Mirror("Netatmo_Porch", PORCH, AIR, begin=begin)]) == []


async def test_a_middle_span_holds_since_and_not_until(home: Household) -> None:
    rows = home.served.house.rows(PORCH, 0, inf, NOW)
    begin, end = rows[150].time, rows[300].time

    result = await home.sync(since=str(begin), until=str(end))

    assert result["exit_code"] == 0
    assert home.differences([Mirror("Netatmo_Porch", PORCH, AIR, begin, end)]) == []

    await home.sync()

    assert home.differences() == []


async def test_a_span_may_reach_below_since(home: Household) -> None:
    home.devices[0]["since"] = "12h"
    await home.sync()

    await home.sync(since=str(NOW - 100_000), until=str(NOW - 90_000))

    spans = [
        Mirror("Netatmo_Porch", PORCH, AIR, NOW - 100_000, NOW - 90_000),
        Mirror("Netatmo_Porch", PORCH, AIR, NOW - 12 * 3600),
    ]
    wanted: dict[Any, dict[Any, Any]] = {}
    for span in spans:
        for series, cells in expected(home.served.house, [span], NOW).items():
            wanted.setdefault(series, {}).update(cells)
    assert differences(wanted, held(home.served.fluxtream)) == []


async def test_a_span_that_ends_before_a_device_begins_asks_nothing_of_it(home: Household) -> None:
    """It is not the person who named a wrong `--since`."""
    home.devices.append({"name": "Netatmo_Indoor", "module": BASE, "channels": AIR, "since": "3h"})
    end = NOW - 6 * 3600

    result = await home.sync(until=str(end))

    assert (result["exit_code"], result["left"]) == (0, [])
    assert home.differences([Mirror("Netatmo_Porch", PORCH, AIR, end=end)]) == []
    assert home.calls(BASE) == 0


async def test_again_sends_once_more_what_is_there(home: Household) -> None:
    await home.sync()

    result = await home.sync(again=True)

    assert result["exit_code"] == 0
    assert [line["rows"] for line in result["devices"]] == [there(home)]
    assert home.served.fluxtream.store.again.total() == there(home) * len(AIR)
    home.served.fluxtream.store.again.clear()
    assert home.differences() == []


async def test_again_heals_a_span_that_the_destination_has_lost(home: Household) -> None:
    await home.sync()
    store = home.served.fluxtream.store
    for cell in list(store.values):
        for time in [time for time in store.values[cell] if NOW - 90_000 <= time < NOW - 80_000]:
            del store.values[cell][time]

    await home.sync(again=True, since=str(NOW - 90_000), until=str(NOW - 80_000))

    assert home.differences() == []


async def test_a_dry_run_tells_what_it_would_fetch_and_changes_nothing(home: Household) -> None:
    home.clock.time += 1
    dry = await home.command("sync", dry_run=True)

    assert dry[-1] == {"event": "result", "dry_run": True, "exit_code": 0}
    assert [plan["device"] for plan in dry[:-1]] == ["Netatmo_Porch"]
    assert {errand["why"] for errand in dry[0]["errands"]} == {"due", "catching up"}
    assert home.calls() == uploads(home) == 0
    async with home.app() as app:
        assert app.state.coverage.latest(home.devices[0]["name"]) is None
        assert app.state.bindings.binding(home.devices[0]["name"]) is None
        assert app.state.destinations.identity("fluxtream") is None  # type: ignore[arg-type]


async def test_two_devices_of_one_module_share_its_pages(home: Household) -> None:
    home.devices.append(
        {"name": "Porch_too", "module": PORCH, "channels": ["Temp_C", "Dew_C"], "since": "24h"}
    )

    await home.sync()

    begins = {"Netatmo_Porch": 0.0, "Porch_too": NOW - 86400}
    mirrors = [mirror._replace(begin=begins[mirror.device]) for mirror in home.mirrors]
    assert home.differences(mirrors) == []
    assert home.calls() == 2


async def test_two_accounts_each_bring_their_own(tmp_path: Path) -> None:
    houses = {
        "default": estate(NOW, modules=2, days=2, first=0),
        "parents": estate(NOW, modules=2, days=2, first=1),
    }
    world = World(
        accounts=[Account(name, house) for name, house in houses.items()],
        users=[User(username="anne", password="secret", guest=7)],
        netatmo=roomy(),
    )
    async with household(world, tmp_path) as home:
        home.sections["netatmo.accounts.parents"] = {"refresh_token": home.served.refresh_tokens["parents"]}
        mirrors = {
            name: [Mirror(f"{name}_{number}", module.id) for number, module in enumerate(house.modules)]
            for name, house in houses.items()
        }
        home.devices = [
            {"name": mirror.device, "module": mirror.module, "account": name}
            for name, some in mirrors.items()
            for mirror in some
        ]

        result = await home.sync()

        wanted = {
            series: cells
            for name, house in houses.items()
            for series, cells in expected(house, mirrors[name], NOW).items()
        }
        assert result["exit_code"] == 0
        assert differences(wanted, held(home.served.fluxtream)) == []
        assert {call.user for call in home.served.netatmo.ledger.of("/api/getmeasure")} == set(houses)


async def test_an_account_that_is_shut_out_delays_only_itself(tmp_path: Path) -> None:
    houses = {
        name: estate(NOW, modules=1, days=2, first=place) for place, name in enumerate(("default", "parents"))
    }
    world = World(
        accounts=[Account(name, house) for name, house in houses.items()],
        users=[User(username="anne", password="secret", guest=7)],
        netatmo=roomy(),
    )
    async with household(world, tmp_path) as home:
        (mine,), (theirs,) = (house.modules for house in houses.values())
        home.devices = [
            {"name": "Mine", "module": mine.id},
            {"name": "Theirs", "module": theirs.id, "account": "parents"},
        ]

        result = await home.sync()

        assert [left["what"] for left in result["left"]] == ["account parents"]
        assert "authorize --account parents" in result["left"][0]["remedy"]
        assert home.differences([Mirror("Mine", mine.id)]) == []


async def test_channels_of_ones_own_arrive_beside_the_others(home: Household) -> None:
    home.sections["channels.Dew_Spread_F"] = {
        "formula": "(Temperature * 1.8 + 32) - Dew_F",
        "unit": "°F",
    }
    home.sections["channels.Twice"] = {"formula": "Dew_Spread_F * 2"}
    home.devices[0]["channels"] = [*AIR, "Dew_Spread_F", "Twice"]
    dew = FORMULAS["Dew_F"].value
    spread = Formula(
        ("Humidity", "Temperature"), lambda humidity, celsius: (celsius * 1.8 + 32) - dew(humidity, celsius)
    )
    twice = Formula(spread.needs, lambda *cells: spread.value(*cells) * 2)

    result = await home.sync()

    assert result["exit_code"] == 0
    assert home.differences(own={"Dew_Spread_F": spread, "Twice": twice}) == []


@pytest.mark.parametrize(
    ("server", "api"), [("v1", "auto"), ("v1", "v1"), ("legacy", "auto"), ("legacy", "legacy")]
)
async def test_either_api_of_fluxtream_takes_it_all(tmp_path: Path, server: Any, api: str) -> None:
    world = World.of(
        house_of(module_of(ROWS, NOW)), netatmo=roomy(), fluxtream=FluxtreamSettings(apis=server)
    )
    async with household(world, tmp_path) as home:
        home.mirror_all()
        home.sections["destinations.fluxtream"]["api"] = api

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])
        assert len(home.served.fluxtream.sessions) == 1


async def test_another_guest_behind_the_same_name_starts_with_nothing_and_is_told(
    world: World, tmp_path: Path
) -> None:
    randy = User(username="randy", password="secret", guest=8)
    async with household(
        World(accounts=world.accounts, users=[*world.users, randy], netatmo=world.netatmo), tmp_path
    ) as home:
        home.devices = [{"name": "Netatmo_Porch", "module": PORCH, "channels": AIR}]
        await home.sync()
        before = held(home.served.fluxtream)

        home.sections["destinations.fluxtream"] |= {"username": "randy", "password": "secret"}
        result = await home.sync()

        assert [line["rows"] for line in result["devices"]] == [there(home)]
        assert held(home.served.fluxtream, guest=8) == held(home.served.fluxtream) == before
        (replaced,) = home.told(events.DestinationReplaced)
        assert (replaced.destination, replaced.level) == ("fluxtream", "warning")
        assert replaced.identity.endswith("#8")

        home.sections["destinations.fluxtream"] |= {"username": "anne", "password": "simulated"}
        result = await home.sync()

        assert [line["rows"] for line in result["devices"]] == [0]


async def test_status_says_what_to_do_about_a_password_that_is_refused(home: Household) -> None:
    async with home.app() as app:
        (well,) = (await status(app, lambda *_: None))["destinations"]
        home.served.fluxtream.faults.add("401")
        await performed(app, "sync")
        (refused,) = (await status(app, lambda *_: None))["destinations"]

    assert (well["reason"], well["remedy"]) == (None, None)
    assert "does not accept this user name and password" in refused["reason"]
    assert refused["remedy"] == CredentialsRefused.advice


async def test_one_refused_row_is_set_aside_and_the_rest_goes_on(home: Household) -> None:
    bad = home.served.house.rows(PORCH, 0, NOW, NOW)[250].time
    home.served.fluxtream.refused_times = {bad}

    first = await home.sync()

    assert first["exit_code"] == 75
    (left,) = first["left"]
    assert left["what"].startswith("Netatmo_Porch at fluxtream: the row of ")
    wanted = expected(home.served.house, home.mirrors, NOW)
    for cells in wanted.values():
        del cells[bad]
    assert differences(wanted, held(home.served.fluxtream)) == []

    async with home.app() as app:
        second = (await performed(app, "sync"))[-1]
        shown = await status(app, lambda *_: None)

    assert (second["exit_code"], [line["rows"] for line in second["devices"]]) == (0, [0])
    (aside,) = shown["rows_aside"]
    assert (aside["device"], aside["time"]) == ("Netatmo_Porch", bad)
    assert [*aside["values"]] == AIR
    assert "refused" in aside["reason"]


async def test_what_failed_on_the_way_is_left_and_comes_with_the_next_sync(home: Household) -> None:
    """Fluxtream breaks in the middle of it."""
    home.devices = [{"name": "Netatmo_Indoor", "module": BASE}, *home.devices]
    home.served.fluxtream.faults.add("503", "*upload", after=2)

    first = await home.sync()

    assert first["exit_code"] == 75
    assert [left["what"] for left in first["left"]] == ["destination fluxtream"]

    home.served.fluxtream.faults.clear()
    second = await home.sync()

    assert second["exit_code"] == 0
    assert home.differences() == []


@pytest.mark.parametrize("asked", [{"since": "30d"}, {"again": True}], ids=["span", "again"])
async def test_what_failed_on_the_way_of_a_named_span_is_left(home: Household, asked: dict[str, Any]) -> None:
    """Of what was asked for by name it cannot be told afterwards whether all of it came."""
    home.devices = [
        {"name": "Netatmo_Indoor", "module": BASE, "channels": ["CO2"]},
        {"name": "Netatmo_Porch", "module": PORCH, "channels": AIR},
    ]
    await home.sync()
    home.devices[1]["channels"] = [*AIR, "Dew_C"]
    home.served.fluxtream.faults.add("503", "*upload", times=1)

    result = await home.sync(**asked)

    assert result["exit_code"] == 75
    assert [left["what"] for left in result["left"]] == ["destination fluxtream"]


async def test_a_fluxtream_that_is_away_is_named_and_costs_no_row(home: Household) -> None:
    home.served.fluxtream.faults.add("502")
    first = await home.sync()
    home.served.fluxtream.faults.clear()

    second = await home.sync()

    assert first["exit_code"] == 75
    assert [left["what"] for left in first["left"]] == ["destination fluxtream"]
    assert (second["exit_code"], home.differences()) == (0, [])


async def test_one_destination_that_is_down_delays_only_itself(world: World, tmp_path: Path) -> None:
    randy = User(username="randy", password="secret", guest=8)
    async with household(
        World(accounts=world.accounts, users=[*world.users, randy], netatmo=world.netatmo), tmp_path
    ) as home:
        home.devices = [{"name": "Netatmo_Porch", "module": PORCH, "channels": AIR}]
        home.sections["destinations.randys"] = {
            **home.sections["destinations.fluxtream"],
            "type": "fluxtream",
            "username": "randy",
            "password": "secret",
        }
        home.served.fluxtream.faults.add("500", user="randy")

        first = await home.sync()

        assert [left["what"] for left in first["left"]] == ["destination randys"]
        assert home.differences() == []
        assert held(home.served.fluxtream, guest=8) == {}

        home.devices.append(
            {"name": "Annes_own", "module": PORCH, "channels": AIR, "destinations": ["fluxtream"]}
        )
        annes = await home.sync(devices=["Annes_own"])

        assert (annes["exit_code"], annes["left"]) == (0, [])

        home.served.fluxtream.faults.clear()
        await home.sync()

        assert home.differences() == []
        randys, both = held(home.served.fluxtream, guest=8), held(home.served.fluxtream)
        assert randys == {series: cells for series, cells in both.items() if series[0] != "Annes_own"}


async def test_a_module_that_is_renamed_goes_on_and_one_that_is_replaced_begins_behind(
    home: Household,
) -> None:
    home.devices[0]["module"] = "AR Home/Porch"
    await home.sync()
    home.served.house.change(PORCH, name="Veranda")
    home.clock.time += 1200

    result = await home.sync()

    assert result["exit_code"] == 0
    assert home.differences([Mirror("Netatmo_Porch", PORCH, AIR)]) == []

    new = "02:00:00:00:00:03"
    home.served.house.change(PORCH, id=new, name="Porch", set_up=NOW - ROWS * 300)
    last = result["devices"][0]["to"]
    home.clock.time += 1200
    result = await home.sync()

    assert result["exit_code"] == 0
    found = held(home.served.fluxtream)
    newer = expected(home.served.house, [Mirror("Netatmo_Porch", new, AIR, begin=last + 1)], home.clock.now())
    after = {series: {t: v for t, v in cells.items() if t > last} for series, cells in found.items()}
    assert differences(newer, after) == []
    assert not home.served.fluxtream.store.again


async def test_a_station_with_a_slash_in_its_name_is_found_as_a_whole(world: World, tmp_path: Path) -> None:
    async with household(world, tmp_path) as home:
        home.served.house.change_station(BASE, name="Lv/Basement", home_name=None)
        home.devices = [{"name": "Netatmo_Indoor", "module": "Lv/Basement/Indoor", "channels": AIR}]

        result = await home.sync()

        assert result["exit_code"] == 0
        assert home.differences([Mirror("Netatmo_Indoor", BASE, AIR)]) == []
