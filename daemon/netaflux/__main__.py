"""`python -m netaflux`, and the installed command."""

import gc
import sys

from netaflux.cli.main import main as _main


def main() -> None:
    """Run the command line and leave with its exit code."""
    # a page makes thousands of short-lived tuples and no cycle: to look for some as often as Python does by
    # default costs a quarter of a backfill
    gc.set_threshold(100_000, 20, 50)
    code = _main()
    # all of it goes back with the process: to look through it for cycles first takes a tenth of a second
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
