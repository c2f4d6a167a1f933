"""`cameras`, `events`, `picture` and `persons`, from the configuration to the simulated homes."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from netaflux.commands.perform import perform
from netaflux.commands.words import Json
from netaflux.simulator import Fault, World
from netaflux.simulator.accounts import ALL_SCOPES
from netaflux.simulator.guard import Face, Guard
from netaflux.simulator.house import House
from netaflux.simulator.picture import jpeg
from tests.e2e.household import NOW, Household, household
from tests.simulator.guarded import ANNE, DRIVE, HALL, HOME, STRANGER, guard


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Household]:
    async with household(
        World.of(House(guards={HOME: guard(NOW, late=0.2)}), scopes=ALL_SCOPES), tmp_path
    ) as home:
        yield home


def guards(home: Household) -> Guard:
    return home.served.house.guards[HOME]


def only(events: list[Json], name: str) -> list[Json]:
    return [event for event in events if event["event"] == name]


def failure(events: list[Json]) -> Json:
    assert [event["event"] for event in events] == ["failed"]
    return events[0]


def truth(home: Household) -> list[str]:
    """The ids of all events that are told now, newest first."""
    now = home.clock.now()
    return [seen.id for seen in reversed(guards(home).footage.between(0, now + 1, now))]


async def test_cameras_are_listed_with_how_they_are(home: Household) -> None:
    guards(home).lenses[DRIVE].reachable = False

    told = await home.command("cameras")

    assert [(one["id"], one["name"], one["status"], one["reachable"]) for one in only(told, "camera")] == [
        (HALL, "Hall", "on", None),
        (DRIVE, "Drive", None, False),
    ]
    assert told[-1] == {"event": "result", "failed": [], "exit_code": 0}


async def test_a_cameras_addresses_are_told_on_request(home: Household) -> None:
    (vpn,) = only(await home.command("cameras", camera="drive", url="vpn"), "address")
    (local,) = only(await home.command("cameras", url="local"), "address")

    assert "/relay/" in vpn["url"]
    assert (local["name"], "/local/" in local["url"]) == ("Hall", True)


async def test_a_camera_without_local_access_is_a_clear_error(home: Household) -> None:
    told = failure(await home.command("cameras", camera="drive", url="local"))

    assert "Drive has no local access" in told["message"]
    assert (told["exit_code"], bool(told["remedy"])) == (75, True)


async def test_a_name_that_is_no_cameras_is_refused_with_a_near_one(home: Household) -> None:
    told = failure(await home.command("cameras", camera="Hal"))

    assert (told["exit_code"], "did you mean `Hall`" in told["message"]) == (2, True)


async def test_the_newest_events_are_listed(home: Household) -> None:
    seen = only(await home.command("events"), "seen")

    assert [one["id"] for one in seen] == truth(home)[:30]
    assert {one["camera_name"] for one in seen} == {"Hall", "Drive"}
    assert {one["person_name"] for one in seen if one["person"] == ANNE} == {"Anne"}
    assert {one["person_name"] for one in seen if one["person"] == STRANGER} == {None}


async def test_events_are_narrowed_to_a_camera_a_person_a_time_or_a_number(home: Household) -> None:
    of_drive = only(await home.command("events", camera="drive", most=50), "seen")
    of_anne = only(await home.command("events", person="anne", since="1d"), "seen")

    assert ({one["camera"] for one in of_drive}, len(of_drive)) == ({DRIVE}, 50)
    assert {one["person"] for one in of_anne} == {ANNE}
    assert min(one["time"] for one in of_anne) >= NOW - 86_400


@pytest.mark.parametrize(("since", "words"), [("yesteryear", "--since"), ("2030-01-01", "future")])
async def test_a_begin_that_cannot_be_is_refused(home: Household, since: str, words: str) -> None:
    assert words in failure(await home.command("events", since=since))["message"]


@asynccontextmanager
async def following(home: Household) -> AsyncIterator[AsyncIterator[Json]]:
    async with home.app() as app, aclosing(perform(app, "events", {"follow": True, "every": 60})) as events:
        yield events


async def test_followed_events_come_as_they_happen_late_ones_too_and_each_once(home: Household) -> None:
    until = NOW + 6 * 3600
    shown = truth(home)[:30]
    told: list[str] = []
    async with asyncio.timeout(30), following(home) as events:
        async for event in events:
            if event["event"] == "seen":
                told.append(event["id"])
            if home.clock.now() > until:
                break

    happened = guards(home).footage.between(NOW + 1, until - 3600, until)
    assert told[:30] == shown[::-1]
    assert {seen.id for seen in happened} <= set(told)
    assert any(seen.visible_from > seen.time for seen in happened)
    assert len(set(told)) == len(told)


async def test_an_outage_is_told_once_and_followed_on(home: Household) -> None:
    told: list[str] = []
    async with asyncio.timeout(30), following(home) as events:
        async for event in events:
            if event["event"] == "looked":
                continue
            told.append(event["event"])
            if len(told) == 30:
                home.served.netatmo.faults.add(Fault.ERROR_503, "/api/getevents", times=9)
            if "trouble" in told and len(told) - told.index("trouble") > 5:
                break

    assert home.served.netatmo.faults.count(Fault.ERROR_503) == 9
    assert told.count("trouble") == 1


async def test_the_trouble_of_one_home_is_told_once_whatever_the_other_does(home: Household) -> None:
    home.served.house.guards["5d02"] = guard(NOW)
    told: list[str] = []
    async with asyncio.timeout(30), following(home) as events:
        async for event in events:
            if event["event"] == "seen":
                continue
            if not told:
                home.served.netatmo.faults.add(Fault.ERROR_503, "/api/getevents", holding="5d02")
            told.append(event["event"])
            if "trouble" in told and len(told) - told.index("trouble") > 5:
                break

    assert told.count("trouble") == 1


@pytest.mark.parametrize(("command", "asked"), [("events", {}), ("picture", {"of": "64d1"})])
async def test_a_home_without_cameras_has_no_events(home: Household, command: str, asked: Json) -> None:
    home.served.house.guards["5d02"] = Guard([], [])

    told = failure(await home.command(command, home="5d02", **asked))

    assert (told["exit_code"], told["message"]) == (69, "there is no camera in AR Home")


async def test_an_events_picture_and_a_persons_face_are_fetched(home: Household) -> None:
    seen = only(await home.command("events"), "seen")
    event = next(one["id"] for one in seen if one["kind"] == "person")

    (of_event,) = only(await home.command("picture", of=f" {event.upper()} "), "picture")
    (face,) = only(await home.command("picture", of="anne"), "picture")

    assert (of_event["kind"], b64decode(of_event["content"])) == ("jpg", jpeg(event))
    assert b64decode(face["content"]) == jpeg(f"face-{ANNE}")


async def test_a_picture_of_nobody_is_refused(home: Household) -> None:
    told = failure(await home.command("picture", of="Ann"))

    assert "did you mean `Anne`" in told["message"]
    assert told["exit_code"] == 2


async def test_a_picture_of_several_is_refused_with_their_ids(home: Household) -> None:
    guards(home).faces["other"] = Face(id="other", name="ANNE")

    told = failure(await home.command("picture", of="anne"))

    assert ANNE in told["message"]
    assert "other" in told["message"]


async def test_a_picture_that_has_expired_is_a_clear_error(home: Household) -> None:
    home.served.netatmo.faults.add(Fault.HTML_403, "/pictures/*")

    told = failure(await home.command("picture", of="anne"))

    assert "gone or has expired" in told["message"]


async def test_persons_are_listed_with_where_they_are(home: Household) -> None:
    told = only(await home.command("persons"), "person")

    assert [(one["name"], one["at_home"]) for one in told] == [("Anne", True), (None, True)]


async def test_a_plan_changes_nothing(home: Household) -> None:
    told = await home.command("persons", do="away", persons=["anne"], plan=True)

    assert only(told, "plan") == [{"event": "plan", "text": "mark Anne as away (AR Home)"}]
    assert not guards(home).faces[ANNE].away
    assert home.served.netatmo.ledger.counts["/api/setpersonsaway"] == 0


async def test_persons_are_marked_and_shown_so(home: Household) -> None:
    await home.command("persons", do="away", persons=["Anne", STRANGER])
    away = only(await home.command("persons"), "person")
    await home.command("persons", do="home", persons=["Anne", STRANGER])
    back = only(await home.command("persons"), "person")
    await home.command("persons", do="away")
    all_gone = only(await home.command("persons"), "person")

    assert [one["at_home"] for one in (*away, *back, *all_gone)] == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"do": "home"}, "nobody is named"),
        ({"do": "holiday", "persons": ["anne"]}, "do: Input should be 'home' or 'away'"),
        ({"do": "away", "persons": ["anne", "Tom"]}, "`Tom`"),
    ],
)
async def test_what_cannot_be_marked_changes_nothing(home: Household, asked: Json, words: str) -> None:
    told = failure(await home.command("persons", **asked))

    assert (words in told["message"], told["exit_code"]) == (True, 2)
    assert not guards(home).faces[ANNE].away


async def test_of_several_homes_the_one_to_leave_must_be_named(home: Household) -> None:
    home.served.house.guards["5d02"] = Guard([], [Face(id="tom", name="Tom", away=False)])

    assert "--home" in failure(await home.command("persons", do="away"))["remedy"]
    await home.command("persons", do="away", home="5D02")

    assert home.served.house.guards["5d02"].faces["tom"].away
    assert not guards(home).faces[ANNE].away


async def test_a_house_without_cameras_says_so(home: Household) -> None:
    home.served.house.guards.clear()

    assert failure(await home.command("cameras"))["exit_code"] == 69


async def test_a_missing_scope_is_named(home: Household) -> None:
    logins = home.served.netatmo.logins
    pair = logins.issue("default", ("read_station",))
    home.sections["netatmo"]["refresh_token"] = pair.refresh

    told = failure(await home.command("cameras"))

    assert (told["exit_code"], "read_camera" in told["remedy"]) == (77, True)
