"""The small FCOS under a form of OTA: ``variant=ota_q5``, see ``ota_variants.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ota_variants import variant
from small_fcos import SmallFcos

from otadet.assign import Assigner


class StudyFcos(SmallFcos):
    variant: str = "ota_q20"
    """Form of the assigner."""

    def build_assigner(self) -> Assigner:
        return variant(self.variant)
