"""Train a model: ``python train.py --tracker --rl`` (the same as ``spinn train``)."""

import sys

from spinn.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
