"""The commands' options. No module here imports torch, so that ``--help`` is immediate."""
