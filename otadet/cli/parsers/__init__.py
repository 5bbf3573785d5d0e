"""The commands' options. Nothing in here imports torch, so that ``--help`` is there at once."""
