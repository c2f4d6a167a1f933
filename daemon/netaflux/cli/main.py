"""The command line's one door: parse, call, and turn errors into words on stderr and a number."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from netaflux import __version__
from netaflux.core.errors import NetafluxError, UsageError

HELP = """Carry the measures of your Netatmo modules to a Fluxtream server of your own.

Start with `netaflux demo`, which needs no account. Then: configure, `netaflux authorize`, `netaflux check`,
`netaflux run`.

Exit codes: 0 fine, 1 a bug, 2 usage, 65 data refused, 69 no daemon or device, 75 not all done or late,
77 authorize first, 78 configuration.
"""

FAMILIES: dict[str, tuple[str, dict[str, str]]] = {
    "The daemon": (
        "daemon",
        {
            "run": "Poll all modules until told to stop: this is the daemon.",
            "status": "Show how accounts, devices and destinations are doing.",
            "health": "Ask the daemon whether it is alive.",
            "log-level": "Change how much the running daemon logs.",
        },
    ),
    "Data": (
        "data",
        {
            "sync": "Bring what is lacking to the destinations, once.",
            "devices": "List the stations and modules that the accounts can see.",
        },
    ),
    "Weather": (
        "weather",
        {
            "latest": "Show what every module has measured last, and which of them are late.",
            "measure": "Show a module's rows, of any type and at any scale.",
            "minmax": "Show the extremes of the last 24 hours, or of the day.",
        },
    ),
    "Heating": (
        "heating",
        {
            "homes": "List the homes: their rooms, modules and persons.",
            "thermostat": "Show and set thermostats, valves and schedules.",
        },
    ),
    "Cameras": (
        "security",
        {
            "cameras": "List the cameras of all homes, or tell a camera's live address.",
            "events": "Show what the cameras saw, and with --follow what they see.",
            "picture": "Fetch an event's picture, or a person's face.",
            "persons": "List the persons that cameras know; mark them home or away.",
        },
    ),
    "Making sure": (
        "verify",
        {
            "verify": "Compare what the destinations hold with what Netatmo has, and repair it.",
        },
    ),
    "Telling people": (
        "notices",
        {
            "notify": "Show what a person is needed for; with --test, try to tell one.",
        },
    ),
    "Setting up": (
        "setup",
        {
            "authorize": "Let netaflux read a Netatmo account.",
            "check": "Try everything that the daemon needs, and say OK or what to do.",
        },
    ),
    "When something is wrong": (
        "doctor",
        {
            "doctor": "Examine everything, and say what to do; with --bundle for those who help.",
        },
    ),
    "Trying it out": (
        "trial",
        {
            "demo": "Run the real service against a simulated house, and compare.",
            "simulate": "Serve a simulated Netatmo and a simulated Fluxtream on loopback.",
        },
    ),
}
"""Per group the module of its commands, and what the overview says of each; the modules know the rest."""


def application(wanted: str = "") -> App:
    """All commands; the `wanted` one tells all about itself, the others only the overview's line."""
    app = App(
        name="netaflux",
        version=__version__,
        help=HELP,
        help_format="markdown",
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(negative=(), show_default=False),
    )
    # each family is imported when one of its commands is wanted: `health` has to start fast
    for group, (module, commands) in FAMILIES.items():
        for command, told in commands.items():
            whole = command == wanted
            app.command(
                f"netaflux.cli.{module}:{command.replace('-', '_')}",
                name=command,
                group=group,
                help=None if whole else told,
            )
    imports = "Send the rows of Netatmo's CSV exports to a device's destinations."
    app.command(
        "netaflux.cli.import_csv:import_csv",
        name="import-csv",
        group="Data",
        help=None if wanted == "import-csv" else imports,
    )
    app.command(
        "netaflux.cli.completion:completion",
        name="completion",
        group="Setting up",
        help="Print the completion script of a shell.",
    )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        words = sys.argv[1:] if arguments is None else list(arguments)
        result = application(words[0] if words else "")(words, result_action="return_value")
        sys.stdout.flush()  # at exit it would be too late to be quiet about a reader that has gone
    except CycloptsError:
        return UsageError.exit_code  # it has said what is wrong
    except NetafluxError as error:
        return _explained(error, words[0] if words else "")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # whoever read our output has enough of it; nothing more may be written, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return result if isinstance(result, int) else 0


def _explained(error: NetafluxError, command: str) -> int:
    from netaflux.cli.show import say  # noqa: PLC0415 - only when there is something to say
    from netaflux.logs import masked  # noqa: PLC0415 - the same

    say(f"netaflux: {masked(error.message)}")
    if error.remedy:
        say(f"  → {error.remedy.replace('COMMAND', command)}")
    return error.exit_code
