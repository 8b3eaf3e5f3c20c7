"""`python -m medp2p`: the command line."""

import sys

from medp2p.cli import main

if __name__ == "__main__":
    sys.exit(main())
