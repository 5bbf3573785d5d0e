"""Stop signals: the first SIGINT or SIGTERM ends a run after its step, the second at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from otadet import dist
from otadet.signals import SAME_SIGNAL, STOPPING

EXCHANGE_INTERVAL = 10
"""Steps between exchanges with the other processes on GPUs; on CPUs an exchange is cheap beside a
step."""


class StopSignals:
    """Handler of SIGINT and SIGTERM inside :meth:`handling`.

    Attributes:
        number: of the signal, ``None`` before one came.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._time = 0.0

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Install the handlers in the block."""
        before = {n: signal.signal(n, self._on_signal) for n in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def should_stop(self, device: torch.device, step: int) -> bool:
        """Whether the run stops after ``step``: all processes agree, a signal may reach one."""
        if dist.world_size() == 1:
            return self.number is not None
        if device.type != "cpu" and step % EXCHANGE_INTERVAL:
            return False
        received = [n for n in dist.gather_objects(self.number) if n is not None]
        if received:
            if self.number is None:
                self._time = time.monotonic()
            self.number = received[0]  # the same exit code everywhere
        return bool(received)  # a signal that came during the exchange is for the next one

    @property
    def exit_code(self) -> int:
        """Exit code 128 + N for signal N."""
        return 128 + (self.number or signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and time.monotonic() - self._time > SAME_SIGNAL:
            raise KeyboardInterrupt(number)  # second signal: do not wait for the step
        if self.number is None:
            self.number, self._time = number, time.monotonic()
