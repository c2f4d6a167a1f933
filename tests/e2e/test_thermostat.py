"""`netaflux homes` and `netaflux thermostat`, from the request to the simulated Netatmo and back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from netaflux.commands.words import Json
from netaflux.core.events import HomeSkipped
from netaflux.simulator import ALL_SCOPES, Account, Fault, Home, House, User, World, energy_home, estate
from tests.e2e.household import Household, household, roomy
from tests.fakes import TurnedClock

NOW = 1_763_719_200
"""2025-11-21, Friday, 10:00 UTC, 11:00 in Paris."""
HOUR = 3600
LIVING, BATH = "1746182631", "1688132631"


def a_world(*houses: House, scopes: tuple[str, ...] = ALL_SCOPES) -> World:
    names = ("default", "parents")
    return World(
        accounts=[Account(name, house, scopes) for name, house in zip(names, houses, strict=False)],
        users=[User(username="anne", password="anne's own", guest=7)],
        netatmo=roomy(),
    )


@pytest.fixture
async def heated(tmp_path: Path) -> AsyncIterator[Household]:
    """One heated home, and one of which only a weather station is known."""
    house = House(estate(NOW, days=1, modules=2).stations, [energy_home()])
    async with household(a_world(house), tmp_path, clock=TurnedClock(NOW)) as home:
        yield home


def writes(home: Household) -> list[str]:
    """The API's writing calls, by their endpoints."""
    calls = home.served.netatmo.ledger.calls
    paths = [call.endpoint for call in calls if call.method == "POST" and call.endpoint.startswith("/api/")]
    return [path.removeprefix("/api/") for path in paths]


async def asked(at: Household, /, **words: Any) -> list[Json]:
    """The events, less that which says that something goes out now."""
    events = await at.command("thermostat", **words)
    orders = [event["event"] for event in events if event["event"] != "waiting"]
    assert ("sending" in orders) == (words.get("confirmed", False) and "order" in orders)
    return [event for event in events if event["event"] != "sending"]


async def shown(home: Household) -> Json:
    (heating, result) = await asked(home, do="show")
    assert result == {"event": "result", "failed": [], "exit_code": 0}
    return heating


def room(heating: Json, ident: str) -> Json:
    found: Json = next(each for each in heating["rooms"] if each["id"] == ident)
    return found


# showing


async def test_homes_are_listed_with_all_that_is_in_them(heated: Household) -> None:
    energy, weather, result = await heated.command("homes")

    assert (energy["name"], energy["known_status"], energy["timezone"]) == ("AR Home", True, "Europe/Paris")
    assert [(each["kind"], each["reachable"]) for each in energy["modules"]] == [
        ("NAPlug", True),
        ("NATherm1", True),
        ("NRV", True),
    ]
    assert [(each["name"], each["selected"]) for each in energy["schedules"]] == [
        ("Working days", True),
        ("Holidays", False),
    ]
    assert (weather["known_status"], {each["reachable"] for each in weather["modules"]}) == (False, {None})
    assert result == {"event": "result", "failed": [], "exit_code": 0}


async def test_a_home_without_a_status_is_told_once_while_the_owner_lives(heated: Household) -> None:
    async with heated.app() as app:
        for _ in range(3):
            await app.accounts[next(iter(app.accounts))].netatmo.energy.heating()

    assert len(heated.told(HomeSkipped)) == 1
    asked = [call.params.get("home_id") for call in heated.served.netatmo.ledger.of("/api/homestatus")]
    assert sorted(asked.count(each) for each in set(asked)) == [1, 3]


async def test_the_heating_is_shown_as_it_is(heated: Household) -> None:
    simulated = heated.served.house.homes[0]
    heating = await shown(heated)

    assert (heating["name"], heating["mode"], heating["schedule"]) == ("AR Home", "schedule", "Working days")
    assert heating["slot"] == {"zone": "Comfort", "from": NOW - 4 * HOUR, "until": NOW + 11 * HOUR}
    assert heating["boiler"] is simulated.burning(NOW)
    bath = room(heating, BATH)
    assert (bath["name"], bath["measured_c"]) == ("Bath", simulated.rooms[1].measured(NOW))
    assert (bath["setpoint_c"], bath["mode"], bath["until"]) == (22.5, "schedule", None)
    assert bath["heating_demand"] == simulated.demand(simulated.rooms[1], NOW)


async def test_schedules_are_shown_with_zones_and_week(heated: Household) -> None:
    working, holidays, _ = await asked(heated, do="schedule")

    assert (working["selected"], holidays["selected"]) == (True, False)
    assert working["slot"]["zone"] == 0
    assert holidays["slot"] is None
    assert working["zones"][1]["rooms"] == [
        {"id": LIVING, "name": "Living room", "setpoint_c": 17},
        {"id": BATH, "name": "Bath", "setpoint_c": 17},
    ]
    assert working["timetable"][:2] == [{"zone": 1, "minute": 0}, {"zone": 0, "minute": 420}]


# setting


async def test_an_order_is_told_and_not_carried_out_until_it_is_confirmed(heated: Household) -> None:
    order, result = await asked(heated, do="set", room="bath", temperature=19.5, until="2h")

    assert order["words"] == "set Bath (AR Home) to 19.5 °C until 2025-11-21 13:00"
    assert order["exactly"] == {
        "account": "default",
        "home": heated.served.house.homes[0].id,
        "room": BATH,
        "until": str(NOW + 2 * HOUR),
    }
    assert (result["changed"], writes(heated)) == (None, [])


async def test_what_is_confirmed_is_what_was_told_and_is_then_shown(heated: Household) -> None:
    """A minute passes while the person thinks."""
    words = {"do": "set", "room": "bath", "temperature": 19.5, "until": "2h"}
    order, _ = await asked(heated, **words)
    heated.clock.time += 60
    again, result = await asked(heated, **(words | order["exactly"]), confirmed=True)
    heating = await shown(heated)

    assert again["words"] == order["words"]
    assert (result["changed"], result["exit_code"]) == (True, 0)
    bath = room(heating, BATH)
    assert (bath["setpoint_c"], bath["mode"], bath["until"]) == (19.5, "manual", NOW + 2 * HOUR)
    assert room(heating, LIVING)["mode"] == "schedule"
    assert writes(heated) == ["setroomthermpoint"]


@pytest.mark.parametrize(
    ("until", "moment"),
    [
        ("90m", NOW + 90 * 60),
        ("22:30", NOW + 11 * HOUR + 1800),
        ("06:00", NOW + 19 * HOUR),
        ("2025-11-21T12:00", NOW + HOUR),
        ("2025-11-21T12:00Z", NOW + 2 * HOUR),
        (str(NOW + 5), NOW + 5),
    ],
)
async def test_an_end_is_meant_in_the_home_s_own_time(heated: Household, until: str, moment: int) -> None:
    order, _ = await asked(heated, do="mode", mode="away", until=until)

    assert order["exactly"]["until"] == str(moment)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"do": "set", "room": "Bath", "mode": "max"}, "set Bath (AR Home) to its maximum, for 180 minutes"),
        ({"do": "set", "room": "Bath", "mode": "hg"}, "set Bath (AR Home) to frost guard"),
        ({"do": "set", "room": "Bath", "mode": "home"}, "set Bath (AR Home) to follow its home again"),
        ({"do": "mode", "mode": "frost guard"}, "set AR Home to frost guard"),
        (
            {"do": "mode", "mode": "schedule", "schedule": "holidays"},
            "set AR Home to its schedule Holidays",
        ),
        ({"do": "schedule", "schedule": "HOLIDAYS"}, "let AR Home follow the schedule Holidays"),
    ],
)
async def test_each_order_says_what_it_does_and_does_it(
    heated: Household, words: dict[str, Any], told: str
) -> None:
    order, result = await asked(heated, **words, confirmed=True)

    assert order["words"] == told
    assert (result["changed"], len(writes(heated))) == (True, 1)


async def test_a_home_that_is_away_shows_it(heated: Household) -> None:
    await asked(heated, do="mode", mode="away", until="2h", confirmed=True)
    heating = await shown(heated)

    assert heating["mode"] == "away"
    assert {each["mode"] for each in heating["rooms"]} == {"away"}
    assert {each["setpoint_c"] for each in heating["rooms"]} == {14}


async def test_what_is_so_already_is_no_change(heated: Household) -> None:
    _, result = await asked(heated, do="schedule", schedule="Working days", confirmed=True)

    assert (result["changed"], result["exit_code"]) == (False, 0)


# bad input


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"do": "set", "room": "Bath", "temperature": 30.5}, "between 7 and 30 °C"),
        ({"do": "set", "room": "Bath", "temperature": 6}, "between 7 and 30 °C"),
        ({"do": "set", "room": "Bath", "temperature": "nan"}, "between 7 and 30 °C"),
        ({"do": "set", "room": "Bath", "temperature": 20, "until": "2020-01-01"}, "in the past"),
        ({"do": "set", "room": "Bath", "temperature": 20, "until": "setup"}, "takes a span"),
        ({"do": "set", "room": "Bath", "temperature": 20, "until": "soon"}, "takes a span"),
        ({"do": "set", "room": "Bath", "mode": "of"}, "no mode `of` of a room"),
        ({"do": "set", "room": "Bahn", "temperature": 20}, "no room `Bahn`; did you mean `Bath`"),
        ({"do": "set", "temperature": 20}, "say which room: there is `AR Home/Living room`, `AR Home/Bath`"),
        ({"do": "set", "room": "Bath", "home": "AR Hom", "temperature": 20}, "did you mean `AR Home`"),
        ({"do": "mode", "mode": "holiday"}, "no mode `holiday` of a home; there is schedule, away, hg"),
        ({"do": "mode"}, "no mode"),
        ({"do": "schedule", "schedule": "Holiday"}, "did you mean `Holidays`"),
        ({"do": "boil"}, "thermostat was asked badly: do"),
        ({"do": "show", "account": "parent"}, "no account `parent`"),
    ],
)
async def test_bad_input_is_told_and_nothing_is_written(
    heated: Household, words: dict[str, Any], told: str
) -> None:
    (failed,) = await asked(heated, **words, confirmed=True)

    assert (failed["event"], failed["exit_code"]) == ("failed", 2)
    assert told in failed["message"]
    assert writes(heated) == []


async def test_a_name_that_is_several_s_lists_their_ids(tmp_path: Path) -> None:
    house = House(homes=[energy_home(1, name="Town"), energy_home(2, name="Country")])
    async with household(a_world(house), tmp_path, clock=TurnedClock(NOW)) as home:
        (failed,) = await asked(home, do="set", room="Bath", temperature=20, confirmed=True)
        (unsaid,) = await asked(home, do="mode", mode="away", confirmed=True)
        order, _ = await asked(home, do="set", room="country/bath", temperature=20, confirmed=True)

    assert "1688132631 and 2688132631" in failed["message"]
    assert failed["remedy"] == "Say the id instead."
    assert "say which home: there is `Town`, `Country`" in unsaid["message"]
    assert order["exactly"]["room"] == "2688132631"
    assert writes(home) == ["setroomthermpoint"]


async def test_a_home_that_two_accounts_see_is_one(tmp_path: Path) -> None:
    house = House(homes=[energy_home()])
    async with household(a_world(house, house), tmp_path, clock=TurnedClock(NOW)) as home:
        home.sections["netatmo.accounts.parents"] = {"refresh_token": home.served.refresh_tokens["parents"]}
        listed = await home.command("homes")
        _, done = await asked(home, do="set", room="Bath", temperature=20, confirmed=True)

    assert [each["event"] for each in listed] == ["home", "result"]
    assert (done["event"], done["changed"]) == ("result", True)
    assert writes(home) == ["setroomthermpoint"]


async def test_the_homes_are_listed_with_a_cameras_scope_too(tmp_path: Path) -> None:
    world = a_world(House(homes=[energy_home()]), scopes=("read_station", "read_camera"))
    async with household(world, tmp_path, clock=TurnedClock(NOW)) as home:
        listed, _ = await home.command("homes")
        lesser = home.served.netatmo.logins.issue("default", ["read_station"])
        home.sections["netatmo"]["refresh_token"] = lesser.refresh
        (result,) = await home.command("homes")

    assert (listed["name"], result["exit_code"]) == ("AR Home", 77)
    assert "read_thermostat or read_camera or read_presence or read_doorbell" in result["failed"][0]["reason"]


async def test_an_account_without_heating_says_so(tmp_path: Path) -> None:
    async with household(a_world(estate(NOW, days=1)), tmp_path, clock=TurnedClock(NOW)) as home:
        (failed,) = await asked(home, do="show")

    assert (failed["exit_code"], failed["message"]) == (69, "no account has a thermostat, a valve or a relay")


# what goes wrong


@pytest.mark.parametrize("scopes", [("read_station",), ("read_station", "read_thermostat")])
async def test_a_scope_that_is_missing_is_named(tmp_path: Path, scopes: tuple[str, ...]) -> None:
    world = a_world(House(homes=[energy_home()]), scopes=scopes)
    async with household(world, tmp_path, clock=TurnedClock(NOW)) as home:
        (*_, failed) = await asked(home, do="mode", mode="away", confirmed=True)

    needed = "write_thermostat" if "read_thermostat" in scopes else "read_thermostat"
    words = " ".join(f"--scope {scope}" for scope in (*scopes, needed))
    assert (failed["event"], failed["exit_code"]) == ("failed", 77)
    assert f"this needs {needed}" in failed["message"]
    assert failed["remedy"] == f"Run `netaflux authorize {words}`."


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.ERROR_502])
async def test_an_order_without_an_answer_is_not_sent_again(heated: Household, fault: Fault) -> None:
    heated.served.netatmo.faults.add(fault, "/api/setthermmode")
    order, failed = await asked(heated, do="mode", mode="away", confirmed=True)

    assert order["event"] == "order"
    assert "whether Netatmo has done it is unknown" in failed["message"]
    assert "`netaflux thermostat show` shows how things are" in failed["remedy"]
    assert (failed["exit_code"], writes(heated)) == (75, ["setthermmode"])


async def test_an_account_that_cannot_be_read_costs_the_others_nothing(tmp_path: Path) -> None:
    world = a_world(House(homes=[energy_home(1, name="Ours")]), House(homes=[energy_home(2, name="Theirs")]))
    async with household(world, tmp_path, clock=TurnedClock(NOW)) as home:
        lesser = home.served.netatmo.logins.issue("default", ["read_station"])
        home.sections["netatmo"]["refresh_token"] = lesser.refresh
        home.sections["netatmo.accounts.parents"] = {"refresh_token": home.served.refresh_tokens["parents"]}
        heating, result = await asked(home, do="show")
        (_, done) = await asked(home, do="set", room="Bath", mode="max", confirmed=True)
        (lost,) = await asked(home, do="set", room="Attic", mode="max", confirmed=True)

    assert heating["name"] == "Theirs"
    assert [each["account"] for each in result["failed"]] == ["default"]
    assert "read_thermostat" in result["failed"][0]["remedy"]
    assert (result["exit_code"], done["changed"]) == (77, True)
    assert "this needs read_thermostat" in lost["message"]


def test_the_simulated_home_is_what_these_tests_think() -> None:
    home: Home = energy_home()

    assert [(each.id, each.name) for each in home.rooms] == [(LIVING, "Living room"), (BATH, "Bath")]
