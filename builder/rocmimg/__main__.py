"""``python -m rocmimg`` and the console script."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; end with the exit code of the error's kind."""
    from rocmimg.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
