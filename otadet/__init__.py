"""otadet: dense object detectors whose label assignment can be read, exchanged and explained.

detector = otadet.load("best.pth")
results = detector.predict("photos/")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otadet.api import ObjectDetector, Result, from_supervision, load

__version__ = "0.1.0"

__all__ = ["ObjectDetector", "Result", "__version__", "from_supervision", "load"]


def __dir__() -> list[str]:
    """With the names that are not imported yet, for completion."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """The names of :mod:`otadet.api`, imported when they are asked for: torch takes seconds."""
    if name in __all__:
        from otadet import api

        return getattr(api, name)
    raise AttributeError(f"module 'otadet' has no attribute {name!r}")
