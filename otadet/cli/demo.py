"""``tools/demo.py``: draw detections in images, videos and streams."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from loguru import logger
from tqdm import tqdm

from otadet.choices import Known
from otadet.cli.common import (
    find_checkpoint,
    results_folder,
    select_experiment,
)
from otadet.cli.demo_video import Job, check_window, run_live, run_video
from otadet.cli.options import test_overrides
from otadet.cli.parsers.demo import parser
from otadet.data import Classes, write_image
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.devices import parse_devices
from otadet.engine.hints import Hints
from otadet.engine.precision import choose_precision
from otadet.engine.predictor import Predictor, group_images
from otadet.errors import InputError
from otadet.media import (
    IMAGE_ENDINGS,
    VIDEO_ENDINGS,
    AnnotationIds,
    DetectedLabels,
    ImageSource,
    find_images,
    image_ids,
    is_address,
    output_names,
    prefetch,
    silence_opencv,
)
from otadet.texts import one_line


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Detect and write images with the detections drawn."""
    _check(args)
    silence_opencv()
    checkpoint = find_checkpoint(args)
    exp = select_experiment(args, checkpoint, test_overrides(args))
    if exp is None:
        return 0
    devices = parse_devices(args.device)
    if len(devices) != 1:
        raise InputError(f"-d {args.device}: the demo runs on one device")
    precision = choose_precision(args.precision, devices.kind, auto=False)
    folder = results_folder(args.output, "demo", checkpoint, exp.name)
    batch = args.batch_size or (8 if devices.kind == "cuda" else 1)
    with ExitStack() as stack:

        def make() -> Predictor:
            return Predictor.from_checkpoint(
                checkpoint, exp, devices.device(0), precision, fused=True
            )

        score = checkpoint.score if args.conf is None else args.conf
        logger.info("{}", checkpoint.score_origin if args.conf is None else
                    f"score threshold {score:g}: --conf")  # fmt: skip
        listed = AnnotationIds.read(Path(args.annotations)) if args.annotations else None
        classes = _classes(args, checkpoint, listed)
        files = [Path(each) for each in (args.exp_file, args.annotations) if each]
        reads = [checkpoint.path, *files]
        job = Job(args, folder, reads, classes, batch, score, make, stack)
        if args.mode == "image":
            _run_images(job, listed)
        elif args.mode == "video":
            run_video(job)
        else:
            run_live(job)
    return 0


def _classes(
    args: argparse.Namespace, checkpoint: Checkpoint, listed: AnnotationIds | None
) -> Classes:
    """Return the classes with the category ids of ``--annotations``, else of the checkpoint."""
    names, ids = checkpoint.class_names, checkpoint.category_ids
    if listed is not None:
        ids = listed.of_classes(names)
    elif ids is None and (args.save_json or args.save_labels == "coco"):
        logger.info(
            "category ids: the class indices plus one, {} holds none; --annotations FILE takes "
            "those of a COCO file", checkpoint.path,
        )  # fmt: skip
    return Classes(names, ids)


def _check(args: argparse.Namespace) -> None:
    """Check the options before anything is read."""
    if args.mode == "webcam" and args.path is not None:
        raise InputError("webcam: takes no --path; --camera N chooses, and stream takes an address")
    paths: list[str] = args.path or []
    if args.mode != "webcam" and not paths:
        raise InputError(f"{args.mode}: give --path")
    if args.mode != "image" and len(paths) > 1:
        raise InputError(f"{args.mode}: expected one --path, got {len(paths)}: {' '.join(paths)}")
    for path in paths:
        _check_kind(args.mode, path)
    if args.conf is not None and not 0 <= args.conf <= 1:
        raise InputError(f"--conf: expected 0 to 1, got {args.conf:g}")
    for name in ("batch_size", "frames", "seconds", "timeout"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            option = "-b" if name == "batch_size" else f"--{name}"
            raise InputError(f"{option}: expected more than 0, got {value:g}")
    if args.line_width is not None and args.line_width < 1:
        raise InputError(f"--line-width: expected at least 1 pixel, got {args.line_width}")
    if args.mode == "image" and (args.frames or args.seconds or args.show):
        raise InputError("--frames, --seconds and --show are for video, webcam and stream")
    _check_saving(args)
    if args.show:
        check_window()


def _check_saving(args: argparse.Namespace) -> None:
    if args.mode != "image" and args.save_labels:
        raise InputError("--save-labels is for images; of videos, --save-json writes detections")
    if args.save_labels_to and not args.save_labels:
        raise InputError("--save-labels-to: give --save-labels, which names the format")
    if args.annotations and not (args.save_json or args.save_labels):
        raise InputError("--annotations: its ids are for --save-json and --save-labels; give one")


def _check_kind(mode: str, text: str) -> None:
    """Refuse a video given as image, and an image, folder or address given as video."""
    path = Path(text)
    if mode == "image" and path.suffix.lower() in VIDEO_ENDINGS and not path.is_dir():
        other = "stream" if is_address(text) else "video"
        raise InputError(f"--path {text}: is a video; `demo {other}` takes it")
    if mode != "video":
        return
    if is_address(text):
        raise InputError(f"--path {text}: expected a video file; `demo stream` takes addresses")
    if path.is_dir() or path.suffix.lower() in set(IMAGE_ENDINGS) - {".gif"}:  # may be animated
        raise InputError(
            f"--path {text}: expected a video file; `demo image` takes images and folders"
        )


def _run_images(job: Job, listed: AnnotationIds | None) -> None:
    """Detect in every image; write a drawn copy and log a line for each."""
    images = [p for path in job.args.path for p in find_images(path, "--path")]
    kept = [p.path.parent.resolve() for p in images if p.path is not None]
    if job.folder.resolve() in kept:
        raise InputError(f"-o {job.folder}: the drawn copies would replace the images in there")
    ids = listed.of_images(images) if listed else image_ids([i.name for i in images])
    names, labels = output_names(images), _labels(job, images, ids)
    predictor = job.start(names, [image.path for image in images if image.path is not None])
    hints = Hints(predictor.exp, lambda line: logger.warning("{}", one_line(line)))
    options, tiled = predictor.exp.build_image_options(), predictor.exp.tile is not None
    read = ((i, each.open(options, tiled)) for i, each in enumerate(images))
    bar = tqdm(total=len(images), desc="demo", unit="image", disable=len(images) < 3 or None)
    with bar:
        for group in group_images(prefetch(read, 1), job.batch):
            for (i, image), found in zip(group, predictor.batch([image for _, image in group])):
                found = found.above(job.score)
                hints.look(images[i].name, image.size, found)
                target = job.folder / names[i]
                write_image(target, job.draw(image, found), job.outputs.atomic)
                for results in job.results:
                    results.add(found, ids[i], images[i].name)
                if labels is not None:
                    labels.add(found, image.size)
                found_text = _counts(found.labels.tolist(), job.names)
                where = one_line(images[i].where)
                logger.info("{}: {} -> {}", where, found_text, one_line(target))
                bar.update()
    if labels is not None:
        labels.write(predictor.exp.whole_boxes)
        logger.info("wrote {} ({}): images: {}", labels.folder, labels.data_format, len(images))


def _labels(job: Job, images: Sequence[ImageSource], ids: Sequence[int]) -> DetectedLabels | None:
    """Prepare the data set of ``--save-labels``."""
    kind: Known | None = job.args.save_labels
    if kind is None:
        return None
    to = job.args.save_labels_to
    folder = Path(to) if to else job.folder / f"labels_{kind}"
    if folder.resolve() == job.folder.resolve():
        raise InputError(f"--save-labels-to {folder}: is the output folder; name another folder")
    return DetectedLabels(folder, kind, images, ids, job.classes)


def _counts(labels: list[int], names: Sequence[str]) -> str:
    counts = {i: labels.count(i) for i in sorted(set(labels))}
    return ", ".join(f"{n} {one_line(names[i])}" for i, n in counts.items()) or "nothing"
