"""See ``python tools/export_onnx.py --help``."""

from otadet.cli.app import run

if __name__ == "__main__":
    run("export")
