"""A detector for a folder of your own images, with settings derived from them and the machine.

    python tools/train.py my/data

The same as ``-f exps/auto.py data_dir=my/data``. Network and weights, input size, tiles, batch,
cache, epochs and more follow from stated rules (docs/auto.md); each is printed with its reason, and
``key=value`` replaces it. The recipe is that of exps/finetune_nano.py. Expected: what that one
reaches in as much time, see docs/auto.md.
"""

from otadet.exp.finetune import FinetuneExp
from otadet.exp.recipe import Row


class Auto(FinetuneExp):
    automatic = True
    rows = (Row(ours="see docs/auto.md"),)
