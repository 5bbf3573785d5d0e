"""See ``python tools/demo.py --help``."""

from otadet.cli.common import run_main
from otadet.cli.demo import main

if __name__ == "__main__":
    run_main(main)
