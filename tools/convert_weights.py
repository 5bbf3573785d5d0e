"""See ``python tools/convert_weights.py --help``."""

from otadet.cli.common import run_main
from otadet.cli.convert_weights import main

if __name__ == "__main__":
    run_main(main)
