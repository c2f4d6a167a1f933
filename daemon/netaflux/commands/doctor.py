"""`doctor`, as far as it needs the app: budget, all that `check` tries, scopes, and Netatmo's clock.

Asked: `evidence` for the bundle. Events: one `finding` each (`core/findings`), `evidence` (`status`, the
newest events of the `log`, the `names` that must not be told), then `result`. Each part has its own time, so
none keeps the others waiting.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing
from typing import Final

import structlog

from netaflux import logs
from netaflux.app import App, Connected
from netaflux.commands.check import parts
from netaflux.commands.leave import SCOPES
from netaflux.commands.requests import understood
from netaflux.commands.status import status
from netaflux.commands.words import Json
from netaflux.core import findings
from netaflux.core.findings import Finding
from netaflux.core.settings import Part
from netaflux.netatmo.scopes import to_grant

log = structlog.get_logger(__name__)

LONGEST_PART: Final = 20.0
"""Real seconds that a part may take."""


class DoctorRequest(Part):
    """Whether what a bundle needs is told, too."""

    evidence: bool = False


async def doctor(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Examine what the app works with."""
    request = understood("doctor", DoctorRequest, asked)
    codes: list[int] = []
    # first, for the others make calls
    before = list(_budgets(app))
    closed = {f"account {name}" for name, each in app.accounts.items() if _is_closed(each)}
    tried = await asyncio.gather(*(_tried(what, part, closed) for what, part in parts(app)))
    after = [*(_scopes(each) for each in app.accounts.values()), _clock(app)]
    for finding in (*before, *(each for some in tried for each in some), *after):
        codes.append(finding.code)
        yield {"event": "finding", **finding.to_json()}
    if request.evidence:
        yield {"event": "evidence", **await _evidence(app)}
    yield {"event": "result", "exit_code": findings.worst(codes)}


def _budgets(app: App) -> Iterator[Finding]:
    yield findings.budget("budget of the app", app.budget.state())
    for name, connected in app.accounts.items():
        yield findings.budget(f"budget of account {name}", connected.gate.state())


def _is_closed(connected: Connected) -> bool:
    return connected.gate.state().wait > LONGEST_PART


async def _tried(
    what: str, part: AsyncGenerator[tuple[Json, int], None], closed: Collection[str]
) -> list[Finding]:
    found: list[Finding] = []
    if what in closed:
        await part.aclose()
        return [findings.doubt(what, "not asked: Netatmo's limits let no call through just now")]
    try:
        async with asyncio.timeout(LONGEST_PART), aclosing(part):
            async for said, code in part:
                grade: findings.Grade = "ok" if said["ok"] else "problem"
                found.append(Finding(said["what"], grade, said["text"], said["remedy"], code))
    except TimeoutError:
        found.append(findings.trouble(what, f"gave no answer in {LONGEST_PART:.0f} s", "Try again."))
    except Exception as error:
        log.exception("examination.crashed", what=what)
        found.append(findings.crashed(what, error))
    return found


def _scopes(connected: Connected) -> Finding:
    granted = connected.keeper.scopes
    kinds = [source for source, account in connected.kinds.items() if account.devices]
    needed = {source.value: SCOPES[source] for source in kinds}
    missing = [scope for some in needed.values() if not set(some) & set(granted) for scope in some]
    remedy = f"Run `{to_grant(missing, connected.name, granted)}`."
    return findings.scopes(f"scopes of account {connected.name}", granted, needed, remedy)


def _clock(app: App) -> Finding:
    told = (connected.client.time.ahead() for connected in app.accounts.values())
    return findings.clock(next((ahead for ahead in told if ahead is not None), None))


async def _evidence(app: App) -> Json:
    return {
        "status": await status(app, lambda _, __: None),
        "log": logs.recent(),
        "names": sorted({name for name in _names(app) if name}),
    }


def _names(app: App) -> Iterator[str]:
    """What people call their places, devices and themselves."""
    for settings in app.settings.destinations.values():
        yield settings.username
    yield from (destination.introduction for destination in app.destinations.values())
    yield from (device.module for device in app.settings.devices)
    for connected in app.accounts.values():
        for account in connected.kinds.values():
            for module in account.seen.modules if account.seen else ():
                yield from (*module.titles, *module.places, module.name or "")
