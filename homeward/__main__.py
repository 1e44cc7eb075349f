"""`python -m homeward` is `homeward`: how the supervisor starts the services with the interpreter it runs on itself."""

import sys

from homeward.cli import main

if __name__ == "__main__":
    sys.exit(main())
