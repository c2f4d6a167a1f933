"""Houses ready to move into: the demo's, and as many stations, modules and days as a test wants."""

from typing import Any

from netaflux.simulator.footage import Eye
from netaflux.simulator.guard import Face, Guard, Lens
from netaflux.simulator.homes import energy_home
from netaflux.simulator.house import House
from netaflux.simulator.units import HOME_COACH, Module, Span, Station, Uploads
from netaflux.simulator.weather import DAY

_MAC_BEGINS = {
    "NAMain": "70:ee:50",
    "NAModule1": "02:00:00",
    "NAModule2": "06:00:00",
    "NAModule3": "05:00:00",
    "NAModule4": "03:00:00",
    HOME_COACH: "70:ee:50",
}
KINDS = ("NAMain", "NAModule1", "NAModule2", "NAModule3", "NAModule4")


def mac(kind: str, number: int) -> str:
    """A MAC address such as that kind of module has."""
    tail = number.to_bytes(3, "big").hex(":")
    return f"{_MAC_BEGINS.get(kind, '09:00:00')}:{tail}"


def demo_house(now: float, days: float = 30, *, live: bool = False) -> House:
    """A heated home with cameras, a Home Coach, and a station with a module of every kind and a silent one.

    Unless it is `live`, no row is added after `now`, so that what is compared does not change meanwhile.
    """
    begin = int(now - days * DAY)
    end = () if live else (Span(now),)
    silent = (Span(int(now - days * DAY / 3)),)
    night_off = (Span(begin + DAY / 2, begin + DAY), *end)

    def module(number: int, kind: str, name: str, gaps: tuple[Span, ...] = end, **odd: Any) -> Module:  # noqa: ANN401 - fields of a Module
        return Module(id=mac(kind, number), kind=kind, name=name, set_up=begin, gaps=gaps, **odd)

    home = energy_home(home_id="5d0000000000000000000001", timezone="America/New_York", set_up=begin)
    station = Station(
        base=module(1, "NAMain", "Basement"),
        modules=(
            module(2, "NAModule1", "Porch", nulls=0.01),
            module(3, "NAModule2", "Roof"),
            module(4, "NAModule3", "Garden"),
            module(5, "NAModule4", "Bedroom", night_off),
            module(6, "NAModule4", "Office", silent, reachable=False),
        ),
        name="AR Home (Basement)",
        home_id=home.id,
        home_name=home.name,
        timezone=home.timezone,
        altitude=300,
        uploads=Uploads(begin) if live else None,
    )
    coach = home_coach(now, days=days, name="Study", gaps=end, set_up=begin)
    return House([station, coach], [home], {home.id: demo_guard(begin)})


ANNE, STRANGER = "91827374-7e04-5298-83ad-000000000001", "91827374-7e04-5298-83ad-000000000002"
HALL, DRIVE = "70:ee:50:00:00:0b", "70:ee:50:00:00:0a"


def demo_guard(begin: int, *, late: float = 0) -> Guard:
    """A camera indoors and one outdoors, a person that they know and one that they don't.

    `late` is the share of events of the one indoors that are told a quarter of an hour later.
    """
    return Guard(
        [
            Lens(eye=Eye(HALL, "NACamera", begin, persons=(ANNE, STRANGER), late=late), name="Hall"),
            Lens(eye=Eye(DRIVE, "NOC", begin), name="Drive", local=False),
        ],
        [Face(id=ANNE, name="Anne", away=False, last_seen=begin), Face(id=STRANGER, away=False)],
    )


def home_coach(
    now: float,
    *,
    days: float = 30,
    number: int = 0xC0,
    name: str = "Study",
    **odd: Any,  # noqa: ANN401 - fields of the Module
) -> Station:
    """Build a Home Coach that has been there for so many days."""
    base = Module(
        id=mac(HOME_COACH, number), kind=HOME_COACH, name=name, **{"set_up": int(now - days * DAY), **odd}
    )
    return Station(base=base, name=name)


def estate(
    now: float,
    *,
    stations: int = 1,
    modules: int = 5,
    days: float = 30,
    first: int = 0,
    **odd: Any,  # noqa: ANN401 - fields of every Module
) -> House:
    """Build `stations` of `modules` units each, the base unit among them; `first` tells estates apart."""
    begin = int(now - days * DAY)

    def unit(station: int, number: int) -> Module:
        kind = KINDS[number % len(KINDS)] if number < len(KINDS) else "NAModule4"
        name = f"Room {number + 1}" if number else "Indoor"
        return Module(
            id=mac(kind, station * 0x100 + number + 1), kind=kind, name=name, **{"set_up": begin, **odd}
        )

    def built(number: int) -> Station:
        units = [unit(number, each) for each in range(modules)]
        title = f"House {number + 1}"
        return Station(
            base=units[0],
            modules=tuple(units[1:]),
            name=f"{title} (Indoor)",
            home_id=f"5d{number:022x}",
            home_name=title,
        )

    return House(built(first + number) for number in range(stations))
