"""See ``python tools/replay.py --help``."""

from otadet.cli.common import run_main
from otadet.cli.replay import main

if __name__ == "__main__":
    run_main(main)
