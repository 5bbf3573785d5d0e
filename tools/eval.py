"""See ``python tools/eval.py --help``."""

from otadet.cli.common import run_main
from otadet.cli.eval import main

if __name__ == "__main__":
    run_main(main)
