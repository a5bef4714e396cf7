"""``python -m trueup``: the command line."""

import sys

from trueup.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
