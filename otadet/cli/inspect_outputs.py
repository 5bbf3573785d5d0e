"""The files that ``inspect`` writes: page, JSON and PNG images."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from otadet.data.findings import counted
from otadet.errors import InputError
from otadet.inspect import Inspection
from otadet.inspect.outputs import JSON_HEAD, write_json, write_pngs
from otadet.inspect.page import page_file, write_page
from otadet.outputs import Inputs, OutputFolder, begins_with, check_output
from otadet.pages import is_page


@dataclass(frozen=True)
class Outputs:
    """Where the files go; ``None`` for what is not wanted."""

    page: Path | None
    json: Path | None
    png: OutputFolder | None

    @classmethod
    def of(cls, args: argparse.Namespace, default: Path) -> Outputs:
        """Take the places of the command line and check them before anything is computed.

        Args:
            args: of the command.
            default: the page's folder, where neither it nor another form is asked for.

        Raises:
            InputError: there is a file that otadet has not written, or no folder for one.
        """
        wanted = args.page or not (args.json or args.png)
        page = page_file(Path(args.page or default)) if wanted else None
        json = Path(args.json) if args.json else None
        if page is not None:
            _check_folder("--page", page.parent)
            check_output(page, Inputs(), is_page)
        if json is not None:
            if json.is_dir() or not json.parent.is_dir():
                raise InputError(f"--json {json}: expected a file in an existing folder")
            check_output(json, Inputs(), begins_with(JSON_HEAD))
        if args.png:
            _check_folder("--png", Path(args.png))
        return cls(page, json, OutputFolder(Path(args.png)) if args.png else None)

    def write(self, inspection: Inspection) -> None:
        """Write the files and log their paths."""
        if self.page is not None:
            logger.info("wrote {}", write_page(inspection, self.page))
        if self.json is not None:
            logger.info("wrote {}", write_json(inspection, self.json))
        if self.png is not None:
            written = write_pngs(inspection, self.png)
            logger.info("wrote {} in {}", counted(len(written), "image"), self.png.path)


def _check_folder(option: str, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{option} {folder}: is a file; expected a folder")
