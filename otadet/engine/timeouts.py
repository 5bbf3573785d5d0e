"""How long a run may go without progress."""

from __future__ import annotations

ALONE_TIMEOUT = 1800.0
JOINED_TIMEOUT = 600.0
"""Seconds without any progress after which a run is ended: one process, and several of them, of
which the others keep their devices busy with waiting."""
