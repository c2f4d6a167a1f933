"""`devices`: what there is to mirror: every account's modules, Home Coaches, rooms, boilers and cameras.

Events: one `module` each, one `unseen` for each kind of modules that the account may not look for (`account`,
`source`, `reason`, `remedy`), then `result`; an account that cannot be read is an entry of `failed`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from netaflux.app import App, Connected
from netaflux.commands.leave import SCOPES, is_given, remedy
from netaflux.commands.requests import Nothing, understood
from netaflux.commands.words import Json
from netaflux.core.devices import Device, identify
from netaflux.core.errors import NetafluxError, NotAuthorized, ScopeDenied
from netaflux.core.model import DeviceName, Module, SourceName, Survey


async def devices(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """List the modules."""
    understood("devices", Nothing, asked)
    failed: list[Json] = []
    codes: set[int] = set()
    for name, connected in app.accounts.items():
        try:
            async for event in _found(app, connected):
                yield event
        except NetafluxError as error:
            failed.append({"account": name, "reason": error.message, "remedy": error.remedy})
            codes.add(error.exit_code)
    code = 0 if not codes else NotAuthorized.exit_code if NotAuthorized.exit_code in codes else 75
    yield {"event": "result", "failed": failed, "exit_code": code}


async def _found(app: App, connected: Connected) -> AsyncIterator[Json]:
    unseen: dict[SourceName, ScopeDenied] = {}
    for source in SourceName:
        survey = await _survey(connected, source)
        if isinstance(survey, ScopeDenied):
            unseen[source] = survey
            continue
        for module in survey.modules:
            yield _module(app, module, source, _mirrors(app, module, survey.modules, source))
    for source, denied in unseen.items():
        told = {"account": connected.name, "source": source.value, "reason": denied.message}
        yield {"event": "unseen", **told, "remedy": remedy(connected, unseen) or denied.remedy}


async def _survey(connected: Connected, source: SourceName) -> Survey | ScopeDenied:
    """What there is of the source; no call is made where it is known that it would be refused."""
    if source is not SourceName.STATIONS and not is_given(connected, source):
        return ScopeDenied(f"this needs {' or '.join(SCOPES[source])}")
    try:
        return await connected.sources[source].survey()
    except ScopeDenied as error:
        if source is SourceName.STATIONS:
            raise
        return error


def _module(app: App, module: Module, source: SourceName, mirrors: Sequence[DeviceName]) -> Json:
    return {
        "event": "module",
        "account": module.account,
        "source": source.value,
        "id": module.id,
        "station": module.station,
        "kind": module.kind,
        "name": module.name,
        "titles": list(module.titles),
        "timezone": module.timezone,
        "reachable": module.reachable,
        "newest": module.newest,
        "measures": list(module.measures),
        "channels": [channel.name for channel in app.catalogue.channels_for(module.measures)],
        "mirrored_by": list(mirrors),
    }


def _mirrors(app: App, module: Module, modules: Sequence[Module], source: SourceName) -> list[DeviceName]:
    """The configured devices that mirror a module, or will as soon as they are looked for."""
    devices = [device for connected in app.accounts.values() for device in connected.devices]
    return [device.name for device in devices if _is_of(app, device, module, modules, source)]


def _is_of(app: App, device: Device, module: Module, modules: Sequence[Module], source: SourceName) -> bool:
    binding = app.state.bindings.binding(device.name)
    if device.account == module.account and device.source is source:
        return identify(device, modules, binding) == module
    return binding is not None and binding.module == module.id
