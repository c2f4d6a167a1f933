"""`import-csv`: rows of Netatmo's CSV export, given page by page to a device's destinations.

The person's files may be out of the daemon's reach: it runs as another user, behind systemd's walls. So
the command line reads them, checks them whole, and hands only numbers to the owner of the state, in requests
of one page each:

1. the plan, without rows: `device`, `files` (name and measures of each), `channels` (the person's choice; the
   device's when empty), `dry_run`. Its `result` tells for each file the `channels` that will be sent, the
   `destinations`, and in `note` what could not be made sure of. Nothing is sent.
2. for each page: `device`, `channels`, `destinations`, `measures`, `rows` ([time, [value, …]], ascending).
   Its `result` tells in `handed` what became of it at each destination; exit code 75 where one is down.

A page is whole by itself and harmless when repeated, so an import that breaks off leaves nothing to clean up.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field, StrictFloat, StrictInt

from netaflux.app import App
from netaflux.commands.requests import understood
from netaflux.commands.words import Json, near_or_all
from netaflux.core.devices import Device
from netaflux.core.errors import DataRefused, NetafluxError, UsageError
from netaflux.core.model import PAGE_ROWS, ChannelName, DestinationName, DeviceName, Measure, Module, Row
from netaflux.core.settings import Part
from netaflux.flow.hand_over import Handed, HandOver, fitting_channels

PATIENCE: Final = 30.0
"""Real seconds that Netatmo may take to say what the device's module is."""

Cell = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | None


class CsvFile(Part):
    """A file as the plan needs it."""

    file: str
    measures: tuple[Measure, ...]


class PlanRequest(Part):
    """What is going to be imported."""

    device: DeviceName
    files: tuple[CsvFile, ...]
    channels: tuple[ChannelName, ...] = ()
    dry_run: bool = False


class PageRequest(Part):
    """Rows to be sent."""

    device: DeviceName
    channels: tuple[ChannelName, ...]
    destinations: tuple[DestinationName, ...]
    measures: tuple[Measure, ...]
    rows: Annotated[tuple[tuple[StrictInt, tuple[Cell, ...]], ...], Field(max_length=PAGE_ROWS)]


async def import_csv(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Plan an import, or send a page of it. See the module's text."""
    if "rows" in asked:
        page = understood("import-csv", PageRequest, asked)
        yield await _page(app, _device(app, page.device), page)
    else:
        plan = understood("import-csv", PlanRequest, asked)
        yield await _plan(app, _device(app, plan.device), plan)


def _device(app: App, name: DeviceName) -> Device:
    devices = {device.name: device for each in app.accounts.values() for device in each.devices}
    if name not in devices:
        raise UsageError(f"no device `{name}` in the configuration{near_or_all(name, list(devices))}")
    return devices[name]


async def _plan(app: App, device: Device, request: PlanRequest) -> Json:
    _check_choice(app, device, request.channels)
    module, note = await _module(app, device, needed=device.channels is None and not request.channels)
    channels = []
    for file in request.files:
        try:
            fitting = fitting_channels(device, app.catalogue, file.measures, module, request.channels)
        except DataRefused as error:
            raise DataRefused(f"{file.file}: {error.message}", advice=error.remedy) from error
        channels.append([channel.name for channel in fitting])
    if not request.dry_run:
        names = dict.fromkeys(name for some in channels for name in some)
        await _hand_over(app, device, tuple(names), device.destinations).announce(app.state.coverage)
    return {
        "event": "result",
        "device": device.name,
        "module": module.id if module else None,
        "channels": channels,
        "destinations": list(device.destinations),
        "note": note,
        "exit_code": 0,
    }


def _check_choice(app: App, device: Device, chosen: Sequence[ChannelName]) -> None:
    for name in chosen:
        known = [channel.name for channel in app.catalogue] if device.channels is None else device.channels
        if name not in known:
            raise UsageError(f"{device.name} has no channel `{name}`{near_or_all(name, known)}")


async def _module(app: App, device: Device, *, needed: bool) -> tuple[Module | None, str | None]:
    """The module that the device mirrors, or why it is not known; that is an error where it is `needed`."""
    account = app.accounts[device.account].kinds[device.source]
    try:
        async with asyncio.timeout(PATIENCE):
            roster = account.roster or await account.preview()
    except TimeoutError:
        error: NetafluxError = UsageError("Netatmo does not say what module the device mirrors")
    except NetafluxError as failure:
        error = failure
    else:
        if missing := roster.missing.get(device.name):
            error = UsageError(missing.reason)
        else:
            targets = [target for some in roster.targets.values() for target in some]
            return next(target.module for target in targets if target.device == device.name), None
    if needed:
        raise error
    return None, f"the kind of the device's module was not compared: {error.message}"


def _hand_over(
    app: App, device: Device, channels: Sequence[ChannelName], destinations: Sequence[DestinationName]
) -> HandOver:
    return HandOver(
        device.name,
        app.catalogue.select(channels),
        [app.doors[name] for name in destinations],
        clock=app.clock,
        observer=app.hub,
    )


async def _page(app: App, device: Device, request: PageRequest) -> Json:
    _check_page(device, request)
    hand_over = _hand_over(app, device, request.channels, request.destinations)
    rows = [Row(time, values) for time, values in request.rows]
    handed = await hand_over.hand_over(request.measures, rows)
    left = any(each.reason or each.refused for each in handed)
    return {"event": "result", "handed": [_told(each) for each in handed], "exit_code": 75 if left else 0}


def _check_page(device: Device, request: PageRequest) -> None:
    if not set(request.destinations) <= set(device.destinations):
        raise UsageError(f"{device.name} has other destinations")
    if any(len(values) != len(request.measures) for _, values in request.rows):
        raise UsageError("a row is longer or shorter than its measures")
    if any(after <= before for (before, _), (after, _) in pairwise(request.rows)):
        raise UsageError("the rows do not ascend in time")


def _told(handed: Handed) -> Json:
    return {
        "destination": handed.destination,
        "rows": handed.rows,
        "from": handed.first,
        "to": handed.last,
        "refused": [{"time": row.time, "reason": reason} for row, reason in handed.refused],
        "reason": handed.reason,
    }
