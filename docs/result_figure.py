r"""Figure of README.md: detections on one image, and the anchor points that OTA gives its objects.

    python docs/result_figure.py --data ../shared/data/bccd --checkpoint runs/finetune_nano/best.pth

The checkpoint is that of the first command of docs/finetuning.md. Needs matplotlib.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from PIL import Image

import otadet
from otadet.assign import OTA
from otadet.data import collate
from otadet.rng import generator

mpl.use("Agg")
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "assets" / "result.png"
CLASSES = ("#d62728", "#1f77b4", "#2ca02c")
OBJECTS = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
SCORE = 0.5


def box(axis: Any, xyxy: list[float], color: Any, width: float) -> None:
    """Draw one box."""
    x1, y1, x2, y2 = xyxy
    axis.add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=color, lw=width))


def text(axis: Any, x: float, y: float, words: str, color: Any) -> None:
    """Write on a coloured label."""
    axis.text(max(x, 1), max(y, 1), words, fontsize=8, color="white", va="top", ha="left",
              bbox={"facecolor": color, "edgecolor": "none", "pad": 1.2})  # fmt: skip


def detections(axis: Any, pixels: np.ndarray, detector: otadet.ObjectDetector) -> None:
    """Draw what the network finds."""
    (found,) = detector.predict(pixels)
    axis.imshow(pixels)
    for name, score, xyxy in zip(found.names, found.scores.tolist(), found.boxes.tolist()):
        color = CLASSES[found.class_names.index(name)]
        box(axis, xyxy, color, 1.6)
        text(axis, xyxy[0], xyxy[1], f"{score:.2f}", color)
    for name, color in zip(found.class_names, CLASSES):
        axis.plot([], [], color=color, linewidth=3, label=name)
    axis.legend(loc="lower right", fontsize=8, ncols=3)
    axis.set_title(f"{len(found.names)} detections with a score above {SCORE}", fontsize=11)


def assignment(axis: Any, pixels: np.ndarray, batch: Any, model: Any, scale: float) -> None:
    """Draw which points each object receives, with the numbers of the report."""
    with torch.no_grad():
        preds = model(batch.images).dense
    report = OTA().explain(preds, batch.targets)
    index, target = report.assignment.gt_index[0], batch.targets[0]
    axis.imshow((0.45 * pixels + 0.55 * 255).astype(np.uint8))
    for i, xyxy in enumerate((target.boxes * scale).tolist()):
        color = OBJECTS[(2 * i) % 20]
        box(axis, xyxy, color, 1.6)
        asked, got = float(report.supply[0][i]), int(report.positives[0][i])
        text(axis, xyxy[0], xyxy[1], f"{asked:.0f} : {got}", color)
        here = (index == i).nonzero()[:, 0]
        xy, stride = preds.points.xy[here] * scale, preds.points.stride[here]
        axis.scatter(
            xy[:, 0], xy[:, 1], s=2.2 * stride, color=[color], ec="black", lw=0.5, zorder=3
        )
    contested = int(report.ambiguous.sum())
    axis.set_title(f"OTA: {int((index >= 0).sum())} points for {len(target)} objects "
                   f"(asked : received), {contested} ambiguous", fontsize=11)  # fmt: skip


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="COCO folder with images")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--image", type=int, default=61, help="index in the validation set")
    args = parser.parse_args()
    torch.set_num_threads(1)
    detector = otadet.load(args.checkpoint, device="cpu", score=SCORE)
    trained = detector.predictor.exp
    exp = type(trained)(**{**trained.as_dict(), "data_dir": str(args.data)})
    sample = exp.build_val_data().load(args.image)
    batch = collate([exp.build_val_transform()(sample, generator(0))])
    scale = max(s / i for s, i in zip(sample.image.shape[:2], exp.test_size))
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    detections(axes[0], sample.image, detector)
    assignment(axes[1], sample.image, batch, detector.predictor.model, scale)
    for axis in axes:
        axis.set(xlim=(0, sample.image.shape[1]), ylim=(sample.image.shape[0], 0))
        axis.axis("off")
    figure.savefig(OUTPUT, dpi=100)
    Image.open(OUTPUT).convert("RGB").quantize(160).save(OUTPUT, optimize=True)


if __name__ == "__main__":
    main()
