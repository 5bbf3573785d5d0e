r"""Figures and tables of ``docs/assignment.md``.

    python docs/assignment_figures.py --data ../shared/data/coco256 \
        --onnx ../shared/weights/yolox_nano.onnx

Real predictions: YOLOX-nano's published network on COCO images at 416 px. Writes PNG files and
``assignment.json`` to ``docs/assets``. Needs matplotlib and onnxruntime.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from otadet.assign import (
    ATSS,
    OTA,
    PAA,
    TAL,
    Assigner,
    ClosestPerLevel,
    Composed,
    Exact,
    FCOSAssigner,
    FixedK,
    MaxIoU,
    Newton,
    ResolveAmbiguous,
    SimOTA,
    Sinkhorn,
)
from otadet.boxes import pairwise_iou
from otadet.points import grid_points
from otadet.types import GridLevel, Predictions, Target

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
from scenes import SceneSpec, make_scene  # noqa: E402

SIZE = 416
COLOURS = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
GOOD_IOU = 0.7


@dataclass(frozen=True)
class Sample:
    """An image with its objects and what the network says of it."""

    name: str
    pixels: np.ndarray
    preds: Predictions
    target: Target


def load(folder: Path, onnx: Path, limit: int) -> list[Sample]:
    """The validation images of a COCO folder with predictions, letterboxed to 416 px."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    table = json.loads((folder / "annotations" / "val.json").read_text(encoding="utf-8"))
    classes = {c["id"]: i for i, c in enumerate(sorted(table["categories"], key=lambda c: c["id"]))}
    objects: dict[int, list[Any]] = {}
    for note in table["annotations"]:
        objects.setdefault(note["image_id"], []).append(note)
    images = []
    for image in table["images"][:limit]:
        notes = objects.get(image["id"], [])
        if not notes:
            continue
        (path,) = (folder / "images").rglob(image["file_name"])
        pixels = cv2.imread(str(path))
        scale = min(SIZE / pixels.shape[0], SIZE / pixels.shape[1])
        resized = cv2.resize(pixels, None, fx=scale, fy=scale)
        canvas = np.full((SIZE, SIZE, 3), 114, np.uint8)
        canvas[: resized.shape[0], : resized.shape[1]] = resized[:SIZE, :SIZE]
        raw = session.run(None, {"images": canvas.transpose(2, 0, 1)[None].astype(np.float32)})[0]
        box = torch.tensor([n["bbox"] for n in notes]) * scale
        target = Target(
            torch.cat([box[:, :2], box[:, :2] + box[:, 2:]], dim=1),
            torch.tensor([classes[n["category_id"]] for n in notes]),
        )
        images.append(
            Sample(image["file_name"], canvas[:, :, ::-1], decode(torch.from_numpy(raw)), target)
        )
    return images


def decode(raw: Tensor) -> Predictions:
    """YOLOX's output ``[1, A, 85]`` (offsets, log sizes, probabilities) as predictions."""
    points = grid_points([GridLevel(SIZE // s, SIZE // s, s) for s in (8, 16, 32)])
    stride = points.stride[:, None]
    center = raw[..., :2] * stride + points.xy - stride / 2
    half = raw[..., 2:4].exp() * stride / 2
    logit = torch.logit(raw[..., 4:].clamp(1e-6, 1 - 1e-6))
    boxes = torch.cat([center - half, center + half], dim=-1)
    return Predictions(boxes, logit[..., 1:], logit[..., 0], torch.zeros_like(boxes), points)


def compare(images: list[Sample], assigners: dict[str, Assigner], against: str) -> list[dict]:
    """Counts over all images, and how much of a reference assignment stays."""
    rows = []
    reference = [assigners[against](p.preds, [p.target]).gt_index[0] for p in images]
    for name, assigner in assigners.items():
        positives = same = shared = union = bare = objects = ambiguous = 0
        for sample, wanted in zip(images, reference):
            report = assigner.explain(sample.preds, [sample.target])
            got = report.assignment.gt_index[0]
            both = (got >= 0) & (got == wanted)
            positives += int((got >= 0).sum())
            shared += int(both.sum())
            union += int(((got >= 0) | (wanted >= 0)).sum())
            same += int((got != wanted).sum())
            bare += int((report.positives[0] == 0).sum())
            objects += len(sample.target)
            ambiguous += int(report.ambiguous.sum())
        rows.append({
            "assigner": name, "positives an object": round(positives / objects, 2),
            "points that change": same, "positives shared": f"{shared / union:.1%}",
            "objects without a point": bare,
            "ambiguous points a picture": round(ambiguous / len(images), 1),
        })  # fmt: skip
    return rows


def one_part_at_a_time() -> dict[str, Assigner]:
    """OTA with each part of SimOTA, then SimOTA with each part of OTA."""
    ota, simota = OTA(), SimOTA()

    def swap(base: Composed, other: Composed, part: str) -> Assigner:
        return replace(base, **{part: getattr(other, part)})

    parts = ("cost", "prior", "supply", "match")
    table: dict[str, Assigner] = {"OTA": ota}
    table |= {f"OTA with SimOTA's {part}": swap(ota, simota, part) for part in parts}
    table["SimOTA"] = simota
    table |= {f"SimOTA with OTA's {part}": swap(simota, ota, part) for part in parts}
    return table


def others() -> dict[str, Assigner]:
    """The other assigners, beside OTA."""
    return {
        "OTA": OTA(), "OTA, converged (Newton)": OTA(match=Newton()),
        "OTA, Exact": OTA(match=Exact()),
        "OTA, the paper's r = 5": OTA(prior=ClosestPerLevel(5)),
        "Min Area f.b. OTA": OTA(match=ResolveAmbiguous("min_area")),
        "Max IoU f.b. OTA": OTA(match=ResolveAmbiguous("max_iou")),
        "Min Loss f.b. OTA": OTA(match=ResolveAmbiguous("min_loss")),
        "SimOTA": SimOTA(), "SimOTA, older union": SimOTA.union(), "FCOS": FCOSAssigner(),
        "ATSS": ATSS(), "RetinaNet (MaxIoU)": MaxIoU(), "PAA": PAA(), "TAL": TAL(),
    }  # fmt: skip


def good_predictions(sample: Sample) -> Tensor:
    """``[A]`` the object that a point predicts with IoU > 0.7 and the right class, or -1."""
    iou = pairwise_iou(sample.target.boxes, sample.preds.boxes[0])
    prefers = sample.preds.cls_logits[0].argmax(dim=1)[None] == sample.target.labels[:, None]
    value, thing = torch.where(prefers, iou, 0.0).max(dim=0)
    return torch.where(value > GOOD_IOU, thing, -1)


def center_only() -> Assigner:
    """One location an object: the point nearest to its centre on the cheapest level."""
    return OTA(prior=ClosestPerLevel(1), supply=FixedK(1), match=Exact())


def ignored_predictions(images: list[Sample]) -> list[dict]:
    """How many of the good predictions each rule uses."""
    rows = []
    rules: dict[str, Assigner] = {
        "centre only (one point an object)": center_only(),
        "3 x 3 centre on every level, all of them": FCOSAssigner(1.5, range_scale=1e9),
        "FCOS": FCOSAssigner(), "SimOTA": SimOTA(), "OTA": OTA(),
    }  # fmt: skip
    for name, assigner in rules.items():
        good = used = positives = fine = 0
        for sample in images:
            wanted = good_predictions(sample)
            got = assigner(sample.preds, [sample.target]).gt_index[0]
            good += int((wanted >= 0).sum())
            used += int(((got == wanted) & (wanted >= 0)).sum())
            positives += int((got >= 0).sum())
            fine += int(((got >= 0) & (got == wanted)).sum())
        rows.append({
            "rule": name, "good predictions": good, "used as positives": used,
            "ignored": f"{1 - used / good:.1%}", "positives": positives,
            "of which good": f"{fine / max(positives, 1):.1%}",
        })  # fmt: skip
    return rows


def crop_of(sample: Sample) -> tuple[float, float]:
    """Width and height of the image inside its letterbox."""
    grey = (sample.pixels == 114).all(axis=2)
    return float((~grey).any(axis=0).sum()), float((~grey).any(axis=1).sum())


def backdrop(axis: Any, sample: Sample, title: str) -> None:
    width, height = crop_of(sample)
    faded = (0.45 * sample.pixels + 0.55 * 255).astype(np.uint8)
    axis.imshow(faded)
    axis.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axis.set_title(title, fontsize=10)


def draw_box(axis: Any, box: Tensor, colour: Any, **style: Any) -> None:
    x1, y1, x2, y2 = box.tolist()
    axis.add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, **style))


def save(figure: Any, path: Path) -> None:
    """As a PNG of 128 colours, a third of the size."""
    figure.savefig(path, dpi=90)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def who_gets_what(sample: Sample, path: Path) -> None:
    """Positive points by object under four assigners, one image."""
    rules = {
        "SimOTA": SimOTA(), "OTA (50 iterations)": OTA(),
        "OTA, converged (Newton)": OTA(match=Newton()), "ATSS": ATSS(),
    }  # fmt: skip
    figure, axes = plt.subplots(2, 2, figsize=(9.6, 6.8), layout="constrained")
    for axis, (name, assigner) in zip(axes.flat, rules.items()):
        report = assigner.explain(sample.preds, [sample.target])
        index = report.assignment.gt_index[0]
        alone = int((report.positives[0] == 0).sum())
        title = f"{name}: {int((index >= 0).sum())} positives"
        backdrop(axis, sample, title + (f", {alone} without any" if alone else ""))
        for i, box in enumerate(sample.target.boxes):
            draw_box(axis, box, COLOURS[i % 20], linewidth=1.3)
        for point in (index >= 0).nonzero()[:, 0].tolist():
            x, y = sample.preds.points.xy[point].tolist()
            size = 6 * float(sample.preds.points.stride[point]) / 8
            colour = COLOURS[int(index[point]) % 20]
            axis.scatter(x, y, s=4 * size, color=[colour], edgecolor="black", linewidth=0.5)
    save(figure, path)


def what_the_centre_misses(images: list[Sample], path: Path) -> None:
    """Good predictions that a centre-only rule leaves background."""
    figure, axes = plt.subplots(1, len(images), figsize=(10.5, 4.1), layout="constrained")
    for axis, sample in zip(axes, images):
        wanted = good_predictions(sample)
        got = center_only()(sample.preds, [sample.target]).gt_index[0]
        missed = ((wanted >= 0) & (got != wanted)).nonzero()[:, 0]
        backdrop(axis, sample, f"{int((got >= 0).sum())} centre points, "
                 f"{len(missed)} good predictions ignored")  # fmt: skip
        for point in missed.tolist():
            draw_box(axis, sample.preds.boxes[0, point], "#d62728", linewidth=0.5, alpha=0.5)
        for box in sample.target.boxes:
            draw_box(axis, box, "black", linewidth=1.6)
        for points, colour, mark in ((missed, "#d62728", "o"), ((got >= 0).nonzero()[:, 0],
                                                                "#1f77b4", "*")):  # fmt: skip
            xy = sample.preds.points.xy[points]
            axis.scatter(xy[:, 0], xy[:, 1], s=22 if mark == "o" else 90, marker=mark,
                         color=colour, edgecolor="white", linewidth=0.6, zorder=3)  # fmt: skip
    save(figure, path)


def convergence(path: Path) -> list[dict]:
    """Marginal error against steps, in a crowd and in an ordinary scene."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.4), sharey=True, layout="constrained")
    specs = {
        "35 objects of 80 classes": SceneSpec(),
        "90 overlapping objects of one class": SceneSpec(640, 90, 1, crowded=True),
    }
    rows = []
    for axis, (title, spec) in zip(axes, specs.items()):
        preds, targets = make_scene(spec)
        steps = [1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000]
        runs = [OTA(match=Sinkhorn(0.1, n)).explain(preds, targets) for n in steps]
        error = [float(r.marginal_error[0]) for r in runs]
        axis.loglog(steps, [max(e, 1e-6) for e in error], "o-", markersize=3, label="Sinkhorn")
        newton = [
            OTA(match=Newton(iterations=n, tolerance=1e-7)).explain(preds, targets)
            for n in range(12)
        ]
        points = [max(float(r.marginal_error[0]), 1e-6) for r in newton]
        axis.loglog(range(16, 28), points, "s-", markersize=3, label="Newton (15 warm-up steps)")
        axis.axvline(50, color="grey", linewidth=0.8, linestyle=":")
        axis.set(title=title, xlabel="steps", ylim=(5e-7, 20))
        axis.grid(alpha=0.3)
        rows.append({"scene": title, "Sinkhorn, 50": error[steps.index(50)],
                     "Sinkhorn, 5000": error[-1], "Newton, 8": points[8]})  # fmt: skip
    axes[0].set_ylabel("largest |received - supply|, points")
    axes[1].legend(frameon=False, loc="lower left")
    save(figure, path)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="COCO folder with images")
    parser.add_argument("--onnx", type=Path, required=True, help="yolox_nano.onnx")
    parser.add_argument("--limit", type=int, default=128, help="images")
    args = parser.parse_args()
    torch.set_num_threads(1)
    assets = ROOT / "docs" / "assets"
    images = load(args.data, args.onnx, args.limit)
    by_size = sorted(images, key=lambda p: -len(p.target))
    tables = {
        "pictures": len(images),
        "one_part_at_a_time": compare(images, one_part_at_a_time(), "OTA"),
        "others": compare(images, others(), "OTA"),
        "ignored_predictions": ignored_predictions(images),
        "convergence": convergence(assets / "assignment_convergence.png"),
    }
    who_gets_what(by_size[2], assets / "assignment_who.png")
    few = [p for p in images if 1 <= len(p.target) <= 3]
    best = sorted(few, key=lambda p: -int((good_predictions(p) >= 0).sum()))[:3]
    what_the_centre_misses(best, assets / "assignment_centre.png")
    (assets / "assignment.json").write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
