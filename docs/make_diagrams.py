"""Draw the data path and the layers of docs/design.md as SVG, for light and dark pages.

    python docs/make_diagrams.py

Writes ``docs/assets/data_path.svg`` and ``docs/assets/layers.svg``.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"

STYLE = """
svg { font: 13px system-ui, sans-serif; }
.page { fill: #ffffff; } .value { fill: #eef6ee; stroke: #2f7d4f; }
.code { fill: #eef3fb; stroke: #3b6fb6; } .file { fill: #f6f1e7; stroke: #9a7b3c; }
text { fill: #1b1f24; } .sub { fill: #57606a; font-size: 11.5px; } .name { font-weight: 600; }
.arrow { stroke: #57606a; fill: none; stroke-width: 1.5; } .head { fill: #57606a; }
@media (prefers-color-scheme: dark) {
  .page { fill: #151a21; } .value { fill: #16281d; stroke: #57b27c; }
  .code { fill: #16233a; stroke: #6fa3ea; } .file { fill: #2b2415; stroke: #cfae6a; }
  text { fill: #e6edf3; } .sub { fill: #a5b0bb; }
  .arrow { stroke: #a5b0bb; } .head { fill: #a5b0bb; }
}
"""


class Drawing:
    """Boxes and arrows that become one SVG file."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
        ]

    def box(self, x: float, y: float, w: float, kind: str, name: str, *lines: str) -> None:
        """A box ``w`` wide with a name and smaller lines, as high as they need."""
        height = 30 + 16 * len(lines)
        self.parts.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{w}" height="{height}" rx="7"/>'
        )
        self.text(x + w / 2, y + 20, name, "name")
        for i, line in enumerate(lines):
            self.text(x + w / 2, y + 37 + 16 * i, line, "sub")

    def text(self, x: float, y: float, words: str, kind: str, anchor: str = "middle") -> None:
        """One line of text."""
        self.parts.append(
            f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def arrow(self, *points: tuple[float, float]) -> None:
        """A line along the points with a head at its end."""
        path = "M" + " L".join(f"{x} {y}" for x, y in points)
        self.parts.append(f'<path class="arrow" d="{path}" marker-end="url(#head)"/>')

    def svg(self) -> str:
        """The file's text."""
        return "\n".join([*self.parts, "</svg>", ""])


def data_path() -> str:
    """From files to weights, metrics, exported files and reports."""
    d = Drawing(960, 470, "Data path: files, samples, batch, detector, predictions, and their uses")
    d.box(20, 24, 180, "file", "data set", "COCO, VOC, YOLO, odgt", "images")
    d.box(260, 24, 190, "code", "data/", "readers, transforms,", "mosaic, workers")
    d.box(510, 24, 190, "value", "Batch", "images u8 [B, 3, H, W]", "targets, geometry")
    d.box(760, 24, 180, "code", "models/", "Detector: backbone,", "neck, head, decode")
    d.arrow((200, 55), (256, 55))
    d.arrow((450, 55), (506, 55))
    d.arrow((700, 55), (756, 55))
    fields = "boxes [B, A, 4], cls_logits [B, A, C], quality_logits [B, A],"
    d.box(250, 146, 460, "value", "Predictions", fields, "deltas, points")
    d.arrow((850, 86), (850, 176), (714, 176))
    columns = (20, 262, 504, 746)
    for x in columns:
        d.arrow((480, 208), (480, 232), (x + 97, 232), (x + 97, 256))
    d.box(
        columns[0],
        260,
        194,
        "code",
        "criteria/ + assign/",
        "assigner: Assignment",
        "losses: LossReport",
    )
    d.box(columns[1], 260, 194, "code", "postprocess.py", "score threshold, NMS", "Detections")
    d.box(columns[2], 260, 194, "code", "export/", "the same forward,", "compared with torch")
    d.box(
        columns[3],
        260,
        194,
        "code",
        "assign/ + visualize/",
        "explain(): who asked,",
        "who received",
    )
    d.box(
        columns[0], 380, 194, "file", "engine/step.py", "gradient, optimizer, EMA:", "checkpoints"
    )
    d.box(
        columns[1],
        380,
        194,
        "file",
        "evaluation/, api, demo",
        "metrics.json,",
        "drawn images, tables",
    )
    d.box(columns[2], 380, 194, "file", "ONNX, TorchScript", "demo/onnxruntime, cpp,", "web")
    d.box(columns[3], 380, 194, "file", "reports", "AssignmentReport,", "pictures/assignment_*.jpg")
    for x in columns:
        d.arrow((x + 97, 322), (x + 97, 376))
    return d.svg()


LAYERS: tuple[tuple[str, str], ...] = (
    ("cli · __main__", "commands; tools/ are three lines over them"),
    ("api · run_report · compare · auto", "from Python; report.html; equal runs; derived settings"),
    ("engine · doctor · inspect", "trainer, evaluation, devices; checks of data sets; inspector"),
    ("exp", "experiments: settings and factories; exps/"),
    ("criteria · visualize · export · media · tta", "losses, drawing, ONNX, images in and out"),
    (
        "models · assign · data · evaluation · postprocess · optim · pages",
        "siblings, no imports between them",
    ),
    (
        "boxes · points · geometry · types · losses · dist · errors · ...",
        "values and small functions",
    ),
)
"""Parts of the package from top to bottom; ``tests/test_layers.py`` reads the imports."""


def layers() -> str:
    """What may import what."""
    d = Drawing(960, 30 + 62 * len(LAYERS), "Layers of the package: imports point down only")
    for i, (names, about) in enumerate(LAYERS):
        y = 20 + 62 * i
        d.box(90, y, 850, "code", names, about)
        d.text(50, y + 28, str(len(LAYERS) - 1 - i), "name")
        if i + 1 < len(LAYERS):
            d.arrow((515, y + 46), (515, y + 60))
    return d.svg()


DRAWINGS = {"data_path.svg": data_path, "layers.svg": layers}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (ASSETS / name).write_text(draw(), encoding="utf-8")
