"""What opening every picture shows: files that cannot be read, other sizes, EXIF, copies."""

from __future__ import annotations

from otadet.doctor.draft import Draft
from otadet.doctor.findings import Finding, Severity, found
from otadet.doctor.pixels import Looked

_TEXT = {
    "file-empty": "files of 0 bytes",
    "file-truncated": "files that are cut short",
    "file-not-image": "files that are no readable picture",
    "size-differs": "pictures of another size than stated",
}


def check_pixels(draft: Draft, looked: dict[int, Looked], severity: Severity) -> list[Finding]:
    """Findings about the files of one split; ``severity`` as in
    :func:`~otadet.doctor.check_files.check_files`."""
    findings: list[Finding] = []
    for code, text in _TEXT.items():
        bad = [index for index, each in looked.items() if each.code == code]
        findings += found(
            code, severity, draft.part, bad, text,
            lambda i: draft.file_spot(i, looked[i].message),
        )  # fmt: skip
    turned = [index for index, each in looked.items() if each.turned]
    text = "pictures whose EXIF orientation swaps width and height"
    # Where the size is the upright one, so are the boxes, and the reader turns the picture.
    stored = any(looked[index].turned == "taken as stored" for index in turned)
    findings += found(
        "exif-swaps", "warning" if stored else "note", draft.part, turned, text,
        lambda i: draft.file_spot(i, looked[i].turned),
    )  # fmt: skip
    flipped = [index for index, each in looked.items() if each.flipped]
    text = "pictures that EXIF mirrors or turns upside down: taken "
    text += "upright" if draft.upright else "as stored"
    return findings + found(
        "exif-flips", "note" if draft.upright else "warning", draft.part, flipped, text,
        draft.file_spot,
    )  # fmt: skip
