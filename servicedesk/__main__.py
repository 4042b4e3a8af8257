"""`python -m servicedesk` and the `servicedesk` command."""

from __future__ import annotations

import sys


def main() -> None:
    from servicedesk.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
