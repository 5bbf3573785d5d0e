"""otadet: dense object detectors whose label assignment can be read, exchanged and explained."""

__version__ = "0.1.0"
