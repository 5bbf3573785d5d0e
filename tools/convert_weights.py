"""See ``python tools/convert_weights.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("convert_weights")
