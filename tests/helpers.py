"""Shared helpers of the tests."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from otadet.points import grid_points
from otadet.types import GridLevel, Predictions, Target

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder shared/ with real data is not beside the checkout"
)


def random_predictions(
    batch: int = 2, classes: int = 3, size: int = 64, quality: bool = True, seed: int = 0
) -> Predictions:
    """Predictions with gradient on a small grid, boxes around their points."""
    g = torch.Generator().manual_seed(seed)
    points = grid_points([GridLevel(size // s, size // s, s) for s in (8, 16, 32)])
    count = len(points)
    deltas = (torch.rand((batch, count, 4), generator=g) * 2 + 0.2).requires_grad_()
    distances = deltas * points.stride[:, None]
    boxes = torch.cat([points.xy - distances[..., :2], points.xy + distances[..., 2:]], dim=-1)
    return Predictions(
        boxes=boxes,
        cls_logits=torch.randn((batch, count, classes), generator=g).requires_grad_(),
        quality_logits=torch.randn((batch, count), generator=g).requires_grad_()
        if quality
        else None,
        deltas=deltas,
        points=points,
    )


def example(name: str) -> ModuleType:
    """The module ``examples/<name>.py``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def target(*rows: tuple[float, float, float, float, int]) -> Target:
    """A target from rows of x1, y1, x2, y2, label."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    return Target(table[:, :4], table[:, 4].long())


HOSTILE = (
    "<script>document.title = 'broken'</script>",
    'it\'s "quoted" & <b>bold</b>',
    "a\nline\tbreak",
    "x" * 300,
    "\u05e9\u05dc\u05d5\u05dd \u202eright to left\u202c",
    "</script><img src=x onerror=alert(1)>{{ 7 * 7 }}",
)
"""Class and file names that a page must show as they are."""
