"""Fine-tune YOLOX-Nano by ``pixeltable-yolox``'s trainer for some minutes of one CPU core.

Its trainer, loader, augmentation, optimizer, schedule and averaged weights, with its defaults for
the nano (SGD, half of the samples a mosaic) and its cache in memory. Adapted from outside, since
its trainer names CUDA:

- batches are not copied to a GPU ahead of their step;
- the network has one input size: the default, another one of 320 to 640 px after every ten steps,
  would take several times as long;
- it does not evaluate during training, which leaves it that time. What is detected is detected
  with its averaged weights of the last step.
"""

from __future__ import annotations

import random
from argparse import Namespace
from typing import Any

import numpy as np
import torch
from epochs import WARMUP, Times, parser, planned, since_start, write
from torch import Tensor
from yolox.config import YoloxNano
from yolox.core import Trainer
from yolox.core import trainer as trainer_module
from yolox.utils import configure_module, postprocess

BATCH = 16


class Prefetcher:
    """Batches one after the other, without streams of a GPU."""

    def __init__(self, loader: Any) -> None:
        self.batches = iter(loader)

    def next(self) -> tuple[Tensor, Tensor]:
        """Images and padded labels."""
        images, labels, _, _ = next(self.batches)
        return images, labels


class CpuTrainer(Trainer):
    """Its trainer on a CPU, with a clock."""

    def __init__(self, config: YoloxNano, args: Namespace) -> None:
        super().__init__(config, args)
        self.device = "cpu"
        self.local_rank = -1  # for which torch.cuda.set_device does nothing
        self.times = Times()

    def before_epoch(self) -> None:
        """Its own, and the time of the first one."""
        if not self.times.ends:
            self.times.start = since_start()
        super().before_epoch()

    def after_epoch(self) -> None:
        """Its own, and the time."""
        super().after_epoch()
        self.times.steps += self.max_iter
        self.times.ends.append(since_start())

    def evaluate_and_save_model(self) -> None:
        """Not during training."""


class OneSize(YoloxNano):
    """The nano's settings, without other input sizes."""

    def random_resize(self, *args: Any) -> tuple[int, int]:
        """Keep the size."""
        return self.input_size


def configured(args: Namespace) -> tuple[OneSize, Namespace]:
    """Its settings, and the arguments of its command line."""
    config = OneSize()
    config.max_epoch, config.no_aug_epochs = planned(args)
    config.warmup_epochs = WARMUP
    config.data_dir = str(args.data)
    config.train_ann, config.val_ann = "train.json", "val.json"
    config.train_img_dir = config.val_img_dir = "images"
    config.input_size = config.test_size = tuple(args.size)
    config.output_dir, config.data_num_workers = str(args.output), 0  # one core
    config.save_history_ckpt = False
    config.update(dict(word.split("=", 1) for word in args.settings))
    config.dataset = config.get_dataset(cache=True)
    config.num_classes = len(config.dataset.class_ids)
    words = {"name": "run", "batch_size": BATCH, "ckpt": str(args.weights), "cache": "ram",
             "fp16": False, "resume": False, "occupy": False, "logger": "tensorboard",
             "start_epoch": None, "config": config.name}  # fmt: skip
    return config, Namespace(**words)


@torch.no_grad()
def detect(trainer: CpuTrainer) -> list[dict[str, Any]]:
    """Detections of the validation images in original pixels, by its own evaluator's steps."""
    config, evaluator = trainer.exp, trainer.evaluator
    model = trainer.ema_model.ema.eval()
    rows: list[dict[str, Any]] = []
    for images, _, sizes, ids in evaluator.dataloader:
        outputs = model(images.float())
        found = postprocess(outputs, config.num_classes, config.test_conf, config.nmsthre)
        rows += evaluator.convert_to_coco_format(found, sizes, ids)
    return rows


def main() -> None:
    args = parser(__doc__).parse_args()
    configure_module()
    random.seed(args.seed)
    np.random.seed(args.seed)  # noqa: NPY002 - what its augmentation draws from
    torch.manual_seed(args.seed)
    config, words = configured(args)
    config.seed = args.seed
    trainer_module.DataPrefetcher = Prefetcher
    trainer = CpuTrainer(config, words)
    trainer.train()
    write(args.output, detect(trainer), trainer.times)


if __name__ == "__main__":
    main()
