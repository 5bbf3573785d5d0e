"""Training samples of one image each."""

from __future__ import annotations

from otadet.data import ColorJitter, OneImage, RandomTurn, SampleBuilder, transforms
from otadet.exp.base import BaseExp
from otadet.exp.networks import SingleImageSettings
from otadet.geometry import Size


class SingleImageExp(SingleImageSettings, BaseExp):
    """Base of experiments that train on one image a sample: random colour, crop, flip, size."""

    def build_sample_builder(self, size: Size) -> SampleBuilder:
        """Make the rule by which a training sample is made, for an input of ``size``."""
        return OneImage(self.build_train_transform(size))

    def build_train_transform(self, size: Size) -> transforms.Transform:
        """Make the random augmentation and the resize to the network's input of ``size``."""
        steps: list[transforms.Transform] = []
        if self.flip_vertical > 0 or self.quarter_turns > 0:
            steps.append(RandomTurn(self.flip_vertical, self.quarter_turns))
        if self.color_jitter:
            steps.append(ColorJitter())
        if self.crop > 0:
            steps.append(transforms.RandomCrop(self.crop))
        if self.flip > 0:
            steps.append(transforms.Flip(self.flip))
        if self.resize == "letterbox":
            steps.append(transforms.Letterbox(size))
        else:
            short, longest = size
            low, high = self.scale_range
            steps.append(transforms.ScaleJitter((round(low * short), round(high * short)), longest))
        return transforms.Compose(tuple(steps))

    def group_by_aspect(self) -> bool:
        """Say whether upright and lying images go into different batches."""
        return self.aspect_grouping and self.resize == "shortest"
