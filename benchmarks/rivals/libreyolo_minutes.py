"""Fine-tune YOLOX-Nano by LibreYOLO's ``train`` for some minutes of one CPU core.

Its documented way: ``model.train(data=..., epochs=..., imgsz=...)``, with its defaults of YOLOX and
its cache in memory. It reads YOLOX's own weights. It does not validate during training, which
leaves it that time. What is detected is detected with its averaged weights of the last step, by
its ``model(image)`` with the thresholds of its own validation.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import yaml
from epochs import WARMUP, Times, parser, planned, since_start, write
from libreyolo.models.yolox.model import LibreYOLOX
from libreyolo.validation.config import ValidationConfig

BATCH = 16


class Clock:
    """A callback of its trainer that notes the times."""

    def __init__(self) -> None:
        self.times = Times()

    def on_train_start(self, event: Any) -> None:
        """After the set-up."""
        self.times.start = since_start()

    def on_train_epoch_end(self, event: Any) -> None:
        """After the checkpoint."""
        self.times.ends.append(since_start())


def described(data: Path, output: Path) -> tuple[Path, dict[str, Any]]:
    """Write its ``data.yaml`` for annotations in COCO's format; the validation set's as well."""
    truth = json.loads((data / "annotations/val.json").read_text(encoding="utf-8"))
    categories = sorted(truth["categories"], key=lambda category: category["id"])
    content = {
        "path": str(data), "train": "images", "val": "images",
        "annotations": {name: f"annotations/{name}.json" for name in ("train", "val")},
        "nc": len(categories), "names": [category["name"] for category in categories],
    }  # fmt: skip
    file = output / "data.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file, {**truth, "categories": categories}


def detect(
    model: LibreYOLOX, data: Path, truth: dict[str, Any], size: tuple[int, int], cap: int
) -> list[dict[str, Any]]:
    """Detections of the validation images in original pixels."""
    own = ValidationConfig
    ids = [category["id"] for category in truth["categories"]]
    rows: list[dict[str, Any]] = []
    for image in truth["images"]:
        result = model(str(data / "images" / image["file_name"]), conf=own.conf_thres,
                       iou=own.iou_thres, imgsz=size, max_det=cap * len(ids))  # fmt: skip
        boxes = result.boxes
        for box, score, label in zip(
            boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), strict=True
        ):
            left, top, right, bottom = box
            rows.append({"image_id": image["id"], "category_id": ids[int(label)], "score": score,
                         "bbox": [left, top, right - left, bottom - top]})  # fmt: skip
    return rows


def main() -> None:
    args = parser(__doc__).parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    count, plain = planned(args)
    file, truth = described(args.data, args.output)
    given = {
        key: ast.literal_eval(value) for key, value in (w.split("=", 1) for w in args.settings)
    }
    clock = Clock()
    size = tuple(args.size)
    model = LibreYOLOX(str(args.weights), size="n", device="cpu")
    settings = {"epochs": count, "no_aug_epochs": plain, "warmup_epochs": WARMUP, "batch": BATCH,
                "imgsz": size, "seed": args.seed, "workers": 0, "cache": "ram", "val": False,
                "project": str(args.output), "name": "run", "device": "cpu", **given}  # fmt: skip
    result = model.train(str(file), callbacks=clock, **settings)
    images = len(json.loads((args.data / "annotations/train.json").read_bytes())["images"])
    clock.times.steps = count * max(1, images // BATCH)  # it drops the last, smaller batch
    averaged = LibreYOLOX(result["last_checkpoint"], size="n", device="cpu")
    write(args.output, detect(averaged, args.data, truth, size, args.cap), clock.times)


if __name__ == "__main__":
    main()
