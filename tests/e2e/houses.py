"""Houses of one station, made of the modules that a test is about."""

from dataclasses import replace
from math import inf
from typing import Any

from netaflux.simulator import Change, House, Module, Row, Span, Station

BASE = "70:ee:50:00:00:01"
PORCH = "02:00:00:00:00:02"
STEP = 300
NEVER = (Span(-inf),)
"""The gaps of a module that takes no rows of its own accord."""


def module_of(rows: int, at: int, *, kind: str = "NAMain", **odd: Any) -> Module:
    """A module that took so many rows, one every five minutes, the last of them shortly before `at`."""
    known = {"NAMain": (BASE, "Indoor"), "NAModule1": (PORCH, "Porch")}
    module_id, name = known[kind]
    module = Module(id=module_id, kind=kind, name=name, set_up=at - rows * STEP - 60, jitter=0)
    end = module.sampling.first + rows * STEP
    return replace(module, **{"gaps": (Span(end),), **odd})


def module_with(*rows: Row, kind: str = "NAModule1", **odd: Any) -> Module:
    """A module that holds these rows and no others; values in the order of `Module.measures`."""
    module = Module(id=PORCH, kind=kind, name="Porch", set_up=min(row.time for row in rows), gaps=NEVER)
    changes = [
        Change(row.time, measure, value)
        for row in rows
        for measure, value in zip(module.measures, row.values, strict=True)
    ]
    fields = {"extras": tuple(row.time for row in rows), "changes": tuple(changes)}
    return replace(module, **{**fields, **odd})


def silent(at: int) -> Module:
    """An indoor unit that never took a row."""
    return Module(id=BASE, kind="NAMain", name="Indoor", set_up=at, gaps=NEVER)


def house_of(base: Module, *modules: Module, **more: Any) -> House:
    """A house with this station."""
    told = {"name": "AR Home (Indoor)", "home_id": "5d0000000000000000000001", "home_name": "AR Home", **more}
    return House([Station(base=base, modules=modules, **told)])
