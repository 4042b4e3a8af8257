"""`python -m servicedesk` and the `servicedesk` command."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from servicedesk.cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while the program is still being loaded
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
