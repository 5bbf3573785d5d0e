"""Fuzzing of whatever reads files from elsewhere; ``make fuzz`` runs each target for a time."""
