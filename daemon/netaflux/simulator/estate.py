"""Houses ready to move into: the demo's, and as many stations, modules and days as a test wants."""

from typing import Any

from netaflux.simulator.house import House
from netaflux.simulator.units import Module, Span, Station, Uploads
from netaflux.simulator.weather import DAY

_MAC_BEGINS = {
    "NAMain": "70:ee:50",
    "NAModule1": "02:00:00",
    "NAModule2": "06:00:00",
    "NAModule3": "05:00:00",
    "NAModule4": "03:00:00",
}
KINDS = ("NAMain", "NAModule1", "NAModule2", "NAModule3", "NAModule4")


def mac(kind: str, number: int) -> str:
    """A MAC address such as that kind of module has."""
    tail = number.to_bytes(3, "big").hex(":")
    return f"{_MAC_BEGINS.get(kind, '09:00:00')}:{tail}"


def demo_house(now: float, days: float = 30, *, live: bool = False) -> House:
    """One station with a module of every kind, and one more that fell silent a third of the time ago.

    Unless it is `live`, no row is added after `now`, so that what is compared does not change meanwhile.
    """
    begin = int(now - days * DAY)
    end = () if live else (Span(now),)
    silent = (Span(int(now - days * DAY / 3)),)
    night_off = (Span(begin + DAY / 2, begin + DAY), *end)

    def module(number: int, kind: str, name: str, gaps: tuple[Span, ...] = end, **odd: Any) -> Module:  # noqa: ANN401 - fields of a Module
        return Module(id=mac(kind, number), kind=kind, name=name, set_up=begin, gaps=gaps, **odd)

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
        home_id="5d0000000000000000000001",
        home_name="AR Home",
        timezone="America/New_York",
        altitude=300,
        uploads=Uploads(begin) if live else None,
    )
    return House([station])


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
