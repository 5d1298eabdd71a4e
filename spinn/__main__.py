"""``python -m spinn`` is the command ``spinn``."""

import sys

from spinn.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
