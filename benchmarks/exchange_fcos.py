"""The network of ``small_fcos.py`` under an assigner of ``exchanges.py``."""

from __future__ import annotations

from exchanges import PAPER_VARIANTS, VARIANTS
from small_fcos import SmallFcos

from otadet.assign import Assigner


class ExchangeFcos(SmallFcos):
    variant: str = "ota"

    def build_assigner(self) -> Assigner:
        """Of ``exchanges.py``."""
        return {**PAPER_VARIANTS, **VARIANTS}[self.variant]
