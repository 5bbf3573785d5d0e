"""See ``python tools/replay.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("replay")
