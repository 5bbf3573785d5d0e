"""Small objects in large images: resized, in tiles, trained on tiles, and in tiles by ``sahi``.

    python benchmarks/tiles_trained.py --weights yolox_nano

Generated images of 3,000 x 2,000 px with objects of 12 to 40 px, a few with training, some for
validation. Two trainings of YOLOX-nano at 640 px from published weights, a few minutes of one core
each: on the images resized, and on the tiles that ``tile=auto`` chooses, which take more steps in
that time, since an image has two thousand objects to assign. The rows are asked in turn, image by
image, on one thread; times are the CPU's of one image, decoding left out. ``sahi`` (``pip install
sahi``, MIT) cuts the same tiles, with its default merging of boxes and with NMS. Prints a table and
writes ``benchmarks/results/tiles_trained_cpu.json``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from beside_sahi import Detect, by_sahi, side_by_side
from measure import RESULTS, environment, show, write_results

import otadet
from otadet.cli.train import main as train
from otadet.data import ShapesDataset, write_coco
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.predictor import Predictor
from otadet.tiling import Tiling

SIZE, OBJECTS, INPUT = (2000, 3000), (12.0, 40.0), 640
SCORE, MOST = 0.05, 5000
TIME = "cpu_seconds.txt"


def generated(count: int, seed: int) -> ShapesDataset:
    """Images of about two thousand objects each."""
    return ShapesDataset(count, seed, SIZE, crowding=0.0, object_size=OBJECTS)


def trained(folder: Path, weights: str, data: Path, *words: str) -> Path:
    """The weights of a run, beside the CPU's time that it took; one that is there is kept."""
    if not (folder / TIME).exists():
        common = ["-n", "finetune_nano", "-c", weights, "-d", "cpu", "-b", "4", "-o", str(folder),
                  f"data_dir={data}", f"input_size={INPUT}", f"test_size={INPUT}", "mosaic=0",
                  "lr_batch=4", "workers=0", "check_data=false", "val_loss=false",
                  "eval_interval=1000", f"max_detections={MOST}", "cache=memory"]  # fmt: skip
        start = time.process_time()
        if train([*common, *words]):
            raise SystemExit(f"{folder}: training did not end well")
        (folder / TIME).write_text(f"{time.process_time() - start:.0f}", encoding="utf-8")
    return folder / "best.pth"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--train", type=int, default=16, help="training images")
    parser.add_argument("--images", type=int, default=4, help="validation images")
    parser.add_argument(
        "--steps", type=int, nargs=2, default=(50, 150), help="of the trainings, of 4 images each"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/tiles_trained"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    val = generated(args.images, seed=1)
    data = args.work / "data"
    if not data.exists():
        write_coco(generated(args.train, seed=0), data, images="images/train")
        of_val = {"annotations": "annotations/val.json", "images": "images/val"}
        write_coco(generated(1, seed=2), data, **of_val)
    lengths = [f"max_iters={steps}" for steps in args.steps]
    resized = trained(
        args.work / "resized", args.weights, data, lengths[0], f"cache_longest={INPUT}"
    )
    on_tiles = trained(args.work / "tiles", args.weights, data, lengths[1], "tile=auto")
    settings = load_checkpoint(on_tiles).settings
    tiling = Tiling(settings["tile"], settings["tile_overlap"])

    def load(weights: Path, **tiles: object) -> Predictor:
        return otadet.load(
            weights, device="cpu", score=SCORE, max_detections=MOST, **tiles
        ).predictor

    whole = load(on_tiles, tile=None)
    tiles = {"tile": tiling.size, "tile_overlap": tiling.overlap}
    rows: dict[str, Detect] = {
        "resized": load(resized),
        "tiles in inference": load(resized, **tiles, tile_whole=False),
        "tiles in both": load(on_tiles, **tiles, tile_whole=False),
        "tiles in both and the whole image": load(on_tiles, **tiles),
        "sahi": by_sahi(whole, tiling, SCORE, MOST, force_postprocess_type=True),
        "sahi, NMS": by_sahi(
            whole, tiling, SCORE, MOST, postprocess_type="NMS", postprocess_match_metric="IOU",
            postprocess_match_threshold=whole.exp.nms_threshold,
        ),
    }  # fmt: skip
    images = [(val.load(index).image, val.ground_truth(index)) for index in range(len(val))]
    table = side_by_side(rows, images, val.class_names, MOST)
    show("small objects in large images", table)
    training = [
        {"run": run.parent.name, "steps": load_checkpoint(run).step, "images": args.train,
         "tile": load_checkpoint(run).settings["tile"],
         "overlap": load_checkpoint(run).settings["tile_overlap"],
         "cpu_seconds": int((run.parent / TIME).read_text(encoding="utf-8"))}
        for run in (resized, on_tiles)
    ]  # fmt: skip
    tables = {"rows": table, "training": training}
    write_results(RESULTS / "tiles_trained_cpu.json", environment("cpu"), tables)


if __name__ == "__main__":
    main()
