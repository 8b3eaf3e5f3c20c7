"""A script that tests start: `medp2p` with two processes, of which the second stands in another folder.

python elsewhere.py FOLDER train CONFIG --devices 2 …
"""

import os
import sys

from medp2p.cli import main

if __name__ == "__main__":
    if os.environ.get("LOCAL_RANK") == "1":
        os.chdir(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
