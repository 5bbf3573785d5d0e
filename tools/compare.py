"""See ``python tools/compare.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("compare")
