"""See ``python tools/convert_dataset.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("convert_dataset")
