"""The commands. ``tools/*.py`` and the console script share these mains."""
