"""See ``python tools/inspect_assignment.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("inspect")
