"""FCOS-R50 with OTA, the paper's 1x recipe (Ge et al. 2021, section 4.1).

    python tools/train.py -f exps/ota_fcos_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected on COCO val: AP 40.7, AP50 58.4, AP75 44.3 (paper, Table 1, last FCOS row).
Ours: not yet measured.
"""

from otadet.assign import OTA, Assigner
from otadet.exp.paper import PaperExp


class OtaFcosR50(PaperExp):
    aliases = ("ota_r50",)

    quality = "iou"

    def build_assigner(self) -> Assigner:
        return OTA()
