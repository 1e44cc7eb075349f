"""How are the private servers' programs fetched ahead of time? `python -m homeward.local`, called by `make setup`."""

import sys

from homeward.local.errors import SetupError
from homeward.local.programs import ensure_programs


def main() -> int:
    """Fetch what is missing; nothing is printed when everything is there."""
    try:
        ensure_programs(lambda sentence: print(sentence, "…", file=sys.stderr, flush=True))
    except SetupError as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
