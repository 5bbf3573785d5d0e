"""See ``python tools/benchmark.py --help``."""

from otadet.cli.benchmark import main
from otadet.cli.common import run_main

if __name__ == "__main__":
    run_main(main)
