"""`devices`: what there is to mirror: every station and module of every account.

Events: one `module` each, then `result`; an account that cannot be read is an entry of `failed`.
"""

from collections.abc import AsyncGenerator

from netaflux.app import App
from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError, NotAuthorized
from netaflux.core.model import Module, ModuleId


async def devices(app: App, asked: Json) -> AsyncGenerator[Json, None]:  # noqa: ARG001 - it takes nothing
    """List the modules."""
    failed: list[Json] = []
    codes: set[int] = set()
    for name, connected in app.accounts.items():
        try:
            survey = await connected.source.survey()
        except NetafluxError as error:
            failed.append({"account": name, "reason": error.message, "remedy": error.remedy})
            codes.add(error.exit_code)
            continue
        for module in survey.modules:
            yield _module(app, module)
    code = 0 if not codes else NotAuthorized.exit_code if NotAuthorized.exit_code in codes else 75
    yield {"event": "result", "failed": failed, "exit_code": code}


def _module(app: App, module: Module) -> Json:
    return {
        "event": "module",
        "account": module.account,
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
        for device in connected.account.devices
    )
    return [binding.device for binding in bindings if binding and binding.module == module]
