"""What is equal for the methods of a comparison, and what is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otadet.compare.outcomes import Outcome
from otadet.compare.plan import FREE
from otadet.compare.result import Equality

_SHOWN = 4
_BY_DESIGN = ("seed", "method", "max_iters", "max_epochs", "save_interval", "data_dir", *FREE)


def equalities(outcomes: Sequence[Outcome], minutes: float | None = None) -> list[Equality]:
    """Compare runs of the same seed; a claim is checked on what the runs left.

    Args:
        outcomes: finished runs.
        minutes: budget of each run where it is a time.
    """
    return [
        _budget(outcomes, minutes),
        _network(outcomes),
        _initial_weights(outcomes),
        _data(outcomes),
        _settings(outcomes),
        _machine(outcomes),
    ]


def machines(outcomes: Sequence[Outcome]) -> set[str]:
    """Return the devices and versions that runs ran on."""
    return {
        f"{start.device}; torch {each.record.versions.get('torch')}"
        for each in outcomes if each.record for start in each.record.starts
    }  # fmt: skip


def differing_settings(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the names of settings in which methods differ, the method itself among them."""
    settings = [each.run.settings for each in outcomes]
    names = dict.fromkeys(name for each in settings for name in each)
    hidden = set(_BY_DESIGN) - {"method"}
    return [n for n in names if n not in hidden and len({str(s.get(n)) for s in settings}) > 1]


def shared_names(outcomes: Iterable[Outcome]) -> set[str]:
    """Return the names of the weights that the networks of all runs have."""
    return set.intersection(*(set(each.digests) for each in outcomes))


def _budget(outcomes: Sequence[Outcome], minutes: float | None) -> Equality:
    budgets = _by_label(
        outcomes, lambda each: f"{each.run.steps} steps of {each.run.batch_size} images"
    )
    alike = len(set(budgets.values())) == 1
    text = f"{next(iter(budgets.values()))} each" if alike else _listed(budgets)
    if minutes is not None:
        text = f"{minutes:g} minutes in steps each, by the time of a step before: {text}"
    return Equality("budget", alike or minutes is not None, text)


def _network(outcomes: Sequence[Outcome]) -> Equality:
    if not all(each.digests for each in outcomes):
        return Equality("network", None, "runs of an older version do not record their weights")
    shared = shared_names(outcomes)
    more = _by_label(outcomes, lambda each: _some(sorted(set(each.digests) - shared)))
    if not any(more.values()):
        return Equality("network", True, f"the same {len(shared)} weights and statistics by name")
    own = "; ".join(f"{label} alone: {names}" for label, names in more.items() if names)
    return Equality("network", False, f"{len(shared)} weights and statistics are shared; {own}")


def _initial_weights(outcomes: Sequence[Outcome]) -> Equality:
    what = "initial weights"
    if not all(each.digests for each in outcomes):
        return Equality(what, None, "runs of an older version do not record them")
    shared = sorted(shared_names(outcomes))
    if not shared:
        return Equality(what, False, "the networks share no weights")
    by_seed: dict[int, list[Mapping[str, str]]] = {}
    for each in outcomes:
        by_seed.setdefault(each.run.seed, []).append(each.digests)
    differing = [
        name for name in shared
        if any(len({digests[name] for digests in found}) > 1 for found in by_seed.values())
    ]  # fmt: skip
    if differing:
        text = f"{len(differing)} of {len(shared)} shared ones differ: {_some(differing)}"
        return Equality(what, False, text)
    hashes = ", ".join(f"{seed}: {_hash(found[0], shared)}" for seed, found in by_seed.items())
    return Equality(what, True, f"hash of the {len(shared)} shared ones by seed: {hashes}")


def _data(outcomes: Sequence[Outcome]) -> Equality:
    seeds = _by_label(outcomes, lambda each: "")
    for each in outcomes:
        seeds[each.run.label] += f" {each.run.seed}"
    sizes = {each.run.batch_size for each in outcomes}
    places = {each.run.settings.get("data_dir") for each in outcomes}
    if len(set(seeds.values())) > 1:
        return Equality("images and their order", False, "seeds: " + _listed(seeds))
    if len(sizes) > 1 or len(places) > 1:
        return Equality("images and their order", False, "other batches or another data_dir")
    return Equality(
        "images and their order", True,
        "a function of seed and step; the ground truth of the evaluation is the same by its hash",
    )  # fmt: skip


def _settings(outcomes: Sequence[Outcome]) -> Equality:
    names = [name for name in differing_settings(outcomes) if name != "method"]
    files = set(_by_label(outcomes, lambda each: str(each.run.file)).values())
    if not names:
        text = "all but the method" if len(files) == 1 else "all, of different experiments"
        return Equality("settings", len(files) == 1, text)
    return Equality("settings", False, f"differ in {_some(names, 12)}: see the table of settings")


def _machine(outcomes: Sequence[Outcome]) -> Equality:
    found = sorted(machines(outcomes))
    if not all(each.record for each in outcomes):
        return Equality("machine", None, "runs of an older version do not record it")
    return Equality("machine", len(found) == 1, " and ".join(found))


def _by_label(outcomes: Sequence[Outcome], text_of: Any) -> dict[str, str]:
    return {each.run.label: text_of(each) for each in outcomes}


def _listed(texts: Mapping[str, str]) -> str:
    return "; ".join(f"{label}: {text.strip()}" for label, text in texts.items())


def _some(names: Sequence[str], most: int = _SHOWN) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _hash(digests: Mapping[str, str], names: Sequence[str]) -> str:
    text = "".join(digests[name] for name in names)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
