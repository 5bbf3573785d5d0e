"""See ``python tools/export_onnx.py --help``."""

from otadet.cli.common import run_main
from otadet.cli.export_onnx import main

if __name__ == "__main__":
    run_main(main)
