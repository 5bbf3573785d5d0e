"""See ``python tools/get_data.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("get_data")
