"""``exps/finetune_nano.py`` under an assigner of ``exchanges.py``."""

from __future__ import annotations

from exchanges import NANO_HIDDEN, NANO_VARIANTS

from otadet.assign import Assigner
from otadet.exp.finetune import FinetuneExp


class ExchangeNano(FinetuneExp):
    variant: str = "simota"

    def build_assigner(self) -> Assigner:
        """Of ``exchanges.py``."""
        return (NANO_VARIANTS | NANO_HIDDEN)[self.variant]
