"""`devices`: what there is to mirror: every account's modules, Home Coaches, rooms, boilers and cameras.

Events: one `module` each, one `unseen` for each kind of modules that the account may not look for (`account`,
`source`, `reason`, `remedy`), then `result`; an account that cannot be read is an entry of `failed`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

from netaflux.app import App, Connected
from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError, NotAuthorized, ScopeDenied
from netaflux.core.model import Module, ModuleId, SourceName, Survey
from netaflux.netatmo.scopes import to_grant

SCOPES: Final[Mapping[SourceName, tuple[str, ...]]] = {
    SourceName.COACHES: ("read_homecoach",),
    SourceName.ROOMS: ("read_thermostat",),
    SourceName.BOILERS: ("read_thermostat",),
    SourceName.CAMERAS: ("read_camera", "read_presence", "read_doorbell"),
}
"""Any of these lets an account look; without one no call is made."""


async def devices(app: App, asked: Json) -> AsyncGenerator[Json, None]:  # noqa: ARG001 - it takes nothing
    """List the modules."""
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
    for source in SourceName:
        survey = await _survey(connected, source)
        if isinstance(survey, ScopeDenied):
            told = {"account": connected.name, "source": source.value}
            yield {"event": "unseen", **told, "reason": survey.message, "remedy": survey.remedy}
            continue
        for module in survey.modules:
            yield _module(app, module, source)


async def _survey(connected: Connected, source: SourceName) -> Survey | ScopeDenied:
    needed, granted = SCOPES.get(source, ()), connected.keeper.scopes
    if needed and granted and not set(needed) & set(granted):
        command = to_grant(needed, connected.name, granted)
        return ScopeDenied(f"this needs {' or '.join(needed)}", advice=f"Run `{command}`.")
    try:
        return await connected.sources[source].survey()
    except ScopeDenied as error:
        if source is SourceName.STATIONS:
            raise
        return error


def _module(app: App, module: Module, source: SourceName) -> Json:
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
        "mirrored_by": _mirrors(app, module.id),
    }


def _mirrors(app: App, module: ModuleId) -> list[str]:
    """The configured devices that mirror a module, as far as is known."""
    bindings = (
        app.state.bindings.binding(device.name)
        for connected in app.accounts.values()
        for device in connected.devices
    )
    return [binding.device for binding in bindings if binding and binding.module == module]
