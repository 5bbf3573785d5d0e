"""Tables of docs/finetuning.md, docs/weights.md, docs/tta.md and docs/doctor.md."""

from __future__ import annotations

from collections.abc import Sequence

from page_tables.base import Cells, markdown, percent, results, runs, table, three


@table
def finetune() -> str:
    """Fine-tuning on one core."""
    found = runs("finetune")
    default = ["SimOTA, q = 5", "IoU"]
    data = {
        "bccd": ["BCCD, 292 images, 256 x 320 px", *default],
        "bccd_simota": ["BCCD", "SimOTA", "1"],
        "bccd_ota": ["BCCD", "OTA", "1"],
        "nuclei": ["nuclei, 531 images, 320 x 320 px", *default],
        "nuclei_simota": ["nuclei", "SimOTA", "1"],
        "nuclei_ota": ["nuclei", "OTA", "1"],
    }
    rows = [
        [*words, found[name]["epochs"], three(found[name]["AP"]), three(found[name]["AP50"]),
         found[name]["seconds"]] for name, words in data.items()
    ]  # fmt: skip
    header = ["data", "assigner", "objectness learns", "epochs", "AP", "AP50", "seconds"]
    return markdown(header, rows)


@table
def finetune_choices() -> str:
    """What each choice of finetune_nano is worth."""
    found = runs("finetune")
    words = {
        "bccd_simota": "nothing",
        "bccd_sgd": "AdamW (SGD, YOLOX's rates)",
        "bccd_no_mosaic": "mosaic (whole images only)",
        "bccd_last_phase": "mosaic to the end (last 5 epochs whole images and L1, as in YOLOX)",
    }
    rows = [
        [text, three(found[n]["AP"]), three(found[n]["AP50"]), three(found[n]["AP_last"])]
        for n, text in words.items()
    ]
    return markdown(["left out", "best AP", "AP50", "AP at the end"], rows)


@table
def cells_detector() -> str:
    """The detector that comes with the package."""
    found = results("ota_nano_cells")
    (row,), threads = found["tables"]["detector"], found["threads"]
    cells = [
        f"{row['bytes'] / 1e6:.1f} MB", three(row["AP"]), three(row["AP50"]),
        f"{row['train_images']}, {row['val_images']}", f"{row['minutes']:g} minutes", threads,
    ]  # fmt: skip
    return markdown(
        ["file", "AP", "AP50", "images to train, to test", "trained in", "threads"], [cells]
    )


_PASSES = {"none": "plain", "flip": "`tta=flip`", "three": "`tta_scales=640:-,800,1000`",
           "atss": "`tta=atss`"}  # fmt: skip


def _tta(network: str, keys: Sequence[str]) -> list[Cells]:
    rows = [r for r in results("tta")["tables"]["evaluations"] if r["network"] == network]
    return [[r["passes"], _PASSES[r["row"]], *(percent(r[k]) for k in keys)] for r in rows]


@table
def tta_nano() -> str:
    """Test-time augmentation of YOLOX-nano on COCO images."""
    keys = ("AP", "AP50", "AP75", "APs", "APm", "APl")
    rows = [r for r in results("tta")["tables"]["evaluations"] if r["network"] == "yolox_nano"]
    times = [f"{r['times_plain']:g}" for r in rows]
    return markdown(
        ["passes", "", "AP", "AP50", "AP75", "small", "medium", "large", "times a plain pass"],
        [[*row, t] for row, t in zip(_tta("yolox_nano", keys), times)],
    )


@table
def tta_fcos() -> str:
    """Test-time augmentation of a network that has seen one size."""
    rows = _tta("ota_fcos_r18", ("AP", "AP50", "AP75"))
    return markdown(["passes", "", "AP", "AP50", "AP75"], rows)


@table
def doctor_time() -> str:
    """CPU time of the doctor."""
    found = results("doctor")
    words = {
        "all that train.py runs": "what `train.py` runs",
        "all of --quick": "`--quick`, with the contested points",
        "otadet's reader": "the reader alone",
        "pycocotools COCO(), loads only": "`pycocotools.COCO`, which checks nothing",
    }
    rows = [[text, f"{found['seconds'][key]:.1f}"] for key, text in words.items()]
    return markdown([f"{found['annotations']:,} annotations, {found['pictures']:,} images",
                     "CPU seconds"], rows)  # fmt: skip
