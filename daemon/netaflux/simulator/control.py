"""The strings of the simulated servers, for tests in other processes: routes below `/_sim/`, in JSON.

Arguments come in the query or as a JSON object; what makes no sense is answered with 400 and the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from math import inf
from typing import Any

import orjson
from aiohttp import web

from netaflux.core.ports import Clock
from netaflux.simulator.accounts import WEATHER_SCOPES
from netaflux.simulator.answers import json_answer
from netaflux.simulator.door import Door
from netaflux.simulator.fluxtream import Fluxtream
from netaflux.simulator.netatmo import Netatmo
from netaflux.simulator.store import Cell
from netaflux.simulator.units import Change, Late, Span

Given = Mapping[str, Any]
Pull = Callable[[Given], object]
"""What a string does: arguments in, JSON out."""

_BUILT: Mapping[str, Callable[[Any], object]] = {
    "gaps": lambda told: tuple(Span(*one) for one in told),
    "late": lambda told: tuple(Late(*one) for one in told),
    "changes": lambda told: tuple(Change(*one) for one in told),
    "extras": tuple,
    "measures": tuple,
    "hidden": frozenset,
}
"""How those fields of a module are made from JSON."""


def control_netatmo(app: web.Application, netatmo: Netatmo) -> None:
    """Add the strings of a Netatmo."""
    strings = _NetatmoStrings(netatmo)
    _add(app, "GET", state=strings.state, rows=strings.rows)
    _add(app, "POST", tokens=strings.tokens, expire=strings.expire, revoke=strings.revoke)
    _add(app, "POST", consent=strings.consent, limits=strings.limits, house=strings.house)
    _add(app, "POST", watch=strings.watch)
    _control_door(app, netatmo.door)


def control_fluxtream(app: web.Application, fluxtream: Fluxtream) -> None:
    """Add the strings of a Fluxtream."""
    strings = _FluxtreamStrings(fluxtream)
    _add(app, "GET", state=strings.state, store=strings.store, uploads=strings.uploads)
    _add(app, "POST", cells=strings.cells, refused=strings.refused)
    _control_door(app, fluxtream.door)


def _control_door(app: web.Application, door: Door) -> None:
    strings = _DoorStrings(door)
    _add(app, "GET", ledger=strings.ledger, faults=strings.struck)
    _add(app, "POST", faults=strings.fault)
    _add(app, "DELETE", faults=strings.no_faults)


def _add(app: web.Application, method: str, **pulls: Pull) -> None:
    for name, pull in pulls.items():
        app.router.add_route(method, f"/_sim/{name}", _route(pull))


def _route(pull: Pull) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            return json_answer(pull({**request.query, **(orjson.loads(body) if body else {})}))
        except (KeyError, TypeError, ValueError) as error:
            return json_answer({"error": repr(error)}, 400)

    return answer


class _DoorStrings:
    def __init__(self, door: Door) -> None:
        self._door = door

    def ledger(self, given: Given) -> object:
        """The calls, those after number `since`; their counts; the fullest windows."""
        return self._door.ledger.told(int(given.get("since", 0)))

    def struck(self, _given: Given) -> object:
        """Which rules are in force, and what has struck where how often."""
        faults = self._door.faults
        struck = [
            {"fault": fault, "endpoint": path, "times": times}
            for (fault, path), times in faults.struck.items()
        ]
        return {"rules": [asdict(rule) for rule in faults.rules], "struck": struck}

    def fault(self, given: Given) -> object:
        """Put a rule in force: the fields of a `Rule`, killing a process by `pid` among them."""
        return asdict(self._door.faults.add(**given))

    def no_faults(self, _given: Given) -> object:
        """Take all rules away."""
        self._door.faults.clear()
        return {}


class _NetatmoStrings:
    def __init__(self, netatmo: Netatmo) -> None:
        self._netatmo = netatmo

    def state(self, _given: Given) -> object:
        """The clock, the calls in flight, and each account's tokens in force."""
        netatmo = self._netatmo
        accounts = {name: self._account(name) for name in netatmo.logins.accounts}
        return {**_moment(netatmo.clock), "in_flight": netatmo.door.in_flight, "accounts": accounts}

    def _account(self, name: str) -> object:
        logins = self._netatmo.logins
        pair = logins.current(name)
        return {**(pair._asdict() if pair else {}), "issued": len(logins.issued[name])}

    def rows(self, given: Given) -> object:
        """What getmeasure holds of `module` of `account`, from `begin` to `end`, `at` a moment."""
        house = self._netatmo.logins.accounts[given["account"]].house
        at = float(given.get("at", self._netatmo.clock.now()))
        begin, end = float(given.get("begin", -inf)), float(given.get("end", inf))
        rows = house.rows(given["module"], begin, end, at)
        told = [[row.time, row.values] for row in rows]
        return {"measures": house.module(given["module"]).measures, "rows": told}

    def tokens(self, given: Given) -> object:
        """A fresh pair for `account`, with `scopes`; the old one dies."""
        return self._netatmo.logins.issue(given["account"], given.get("scopes", WEATHER_SCOPES))._asdict()

    def expire(self, given: Given) -> object:
        """The access token of `account` runs out."""
        self._netatmo.logins.expire(given["account"])
        return {}

    def revoke(self, given: Given) -> object:
        """Both tokens of `account` die."""
        self._netatmo.logins.revoke(given["account"])
        return {}

    def consent(self, given: Given) -> object:
        """What the person at the authorization page does: `account`, `mode`."""
        consent = self._netatmo.consent
        consent.account = given.get("account", consent.account)
        consent.mode = given.get("mode", consent.mode)
        return asdict(consent)

    def limits(self, given: Given) -> object:
        """Other limits from now on: the fields of `Limits`."""
        settings = self._netatmo.settings
        self._netatmo.settings = replace(settings, limits=replace(settings.limits, **given))
        return asdict(self._netatmo.settings.limits)

    def house(self, given: Given) -> object:
        """Exchange fields of a `module` in the house of `account`: an object `set` of fields of `Module`."""
        house = self._netatmo.logins.accounts[given["account"]].house
        fields = {name: _BUILT.get(name, _as_told)(told) for name, told in given["set"].items()}
        house.change(given["module"], **fields)
        return {"changes": house.changes}

    def watch(self, given: Given) -> object:
        """Whether every page of events is the first one again (`repeats`)."""
        self._netatmo.watch.repeats = bool(given["repeats"])
        return {"repeats": self._netatmo.watch.repeats}


class _FluxtreamStrings:
    def __init__(self, fluxtream: Fluxtream) -> None:
        self._fluxtream = fluxtream

    def state(self, _given: Given) -> object:
        """Guests, sessions made, values that stand twice, uploads, calls in flight."""
        fluxtream = self._fluxtream
        return {
            "guests": {user.username: user.guest for user in fluxtream.users},
            "sessions": len(fluxtream.sessions),
            "doubles": fluxtream.store.doubles,
            "again": fluxtream.store.again.total(),
            "uploads": len(fluxtream.uploads),
            "in_flight": fluxtream.door.in_flight,
        }

    def store(self, given: Given) -> object:
        """All numbers, or those of a `guest`, a `device`, a `channel`."""
        wanted = {name: str(told) for name, told in given.items() if name in Cell._fields}
        cells = self._fluxtream.store.values.items()
        return [
            {**cell._asdict(), "values": values}
            for cell, values in cells
            if all(str(getattr(cell, name)) == told for name, told in wanted.items())
        ]

    def uploads(self, given: Given) -> object:
        """The uploads, those after call number `since`."""
        since = int(given.get("since", 0))
        return [upload.told() for upload in self._fluxtream.uploads if upload.number > since]

    def cells(self, given: Given) -> object:
        """Plant a `value`, or with null none, at a `time` of a `channel` of a `device`."""
        guest = int(given.get("guest", self._fluxtream.users[0].guest))
        values = self._fluxtream.store.values[Cell(guest, given["device"], given["channel"])]
        if given["value"] is None:
            values.pop(given["time"], None)
        else:
            values[given["time"]] = given["value"]
        return {}

    def refused(self, given: Given) -> object:
        """Refuse from now on each batch with a row of one of these `times`."""
        self._fluxtream.refused_times = set(given["times"])
        return {"times": sorted(self._fluxtream.refused_times)}


def _moment(clock: Clock) -> dict[str, float]:
    return {"now": clock.now(), "monotonic": clock.monotonic()}


def _as_told(told: object) -> object:
    return told
