"""FCOS-R50 with SimOTA in place of OTA, all else as in ota_fcos_r50.py.

    python tools/train.py -f exps/simota_fcos_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected: not yet measured. OTA reaches AP 40.7 on COCO val (Ge et al. 2021, OTA, Table 1).
"""

from otadet.assign import Assigner, SimOTA
from otadet.exp.methods import with_dynamic_q
from otadet.exp.paper import PaperExp


class SimotaFcosR50(PaperExp):
    def build_assigner(self) -> Assigner:
        return with_dynamic_q(SimOTA(), self.dynamic_q)
