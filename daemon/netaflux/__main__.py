"""`python -m netaflux`, and the installed command."""

import gc
import sys

# A page makes thousands of short-lived tuples and no cycle: looking for some as often as Python does by
# default costs a quarter of a backfill. Set before the imports, which make as many objects that all stay.
gc.set_threshold(400_000, 20, 50)

from netaflux.cli.main import main as _main  # noqa: E402 - see above


def main() -> None:
    """Run the command line and leave with its exit code."""
    code = _main()
    # all of it goes back with the process: to look through it for cycles first takes a tenth of a second
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
