"""``python -m otadet``: the same as the console command ``otadet``."""

from otadet.cli.app import entry

if __name__ == "__main__":
    entry()
