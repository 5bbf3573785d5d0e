"""See ``python tools/doctor.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("doctor")
