"""See ``python tools/train.py --help``."""

from otadet.cli.common import run_main
from otadet.cli.train import main

if __name__ == "__main__":
    run_main(main)
