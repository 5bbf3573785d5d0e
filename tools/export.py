"""See ``python tools/export.py --help``."""

from otadet.cli.common import run_main
from otadet.cli.export import main

if __name__ == "__main__":
    run_main(main)
