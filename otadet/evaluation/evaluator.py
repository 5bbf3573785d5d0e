"""Evaluator: gathers detections and computes one or several measures of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from otadet.errors import InputError
from otadet.evaluation.operating_points import best_operating_point
from otadet.evaluation.result import Evaluation
from otadet.evaluation.store import DetectionColumns, DetectionStore
from otadet.types import Detections, GroundTruth

MeasureFunction = Callable[[Sequence[GroundTruth], Sequence[str], DetectionColumns], Evaluation]
"""From the ground truth of every image, the class names and all detections to metrics."""


@dataclass(frozen=True)
class Measure:
    """A function that computes metrics, with the names of those metrics.

    Attributes:
        function: computes them.
        names: keys of the ``metrics`` that it returns, in their order.
        lower_is_better: those of ``names`` that fall as a detector gets better.
    """

    function: MeasureFunction
    names: tuple[str, ...]
    lower_is_better: Collection[str] = ()

    def __call__(
        self, gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
    ) -> Evaluation:
        """Compute the metrics.

        Raises:
            InputError: the function returns metrics of other names than :attr:`names`.
        """
        found = self.function(gts, class_names, detections)
        if set(found.metrics) != set(self.names):
            raise InputError(
                f"measure of {', '.join(self.names)}: expected metrics of these names, "
                f"got {', '.join(found.metrics) or 'none'}"
            )
        return found


class Evaluator:
    """Gathers detections, in one process or several, and computes metrics.

    Args:
        gts: ground truth of every image of the data set, in every process.
        class_names: names of the class indices.
        measures: what is computed; the names of their metrics differ. A plain function suffices
            where higher is better; a :class:`Measure` also states the names.

    Raises:
        ValueError: duplicate image id, or a label without a name.
    """

    def __init__(
        self,
        gts: Sequence[GroundTruth],
        class_names: Sequence[str],
        measures: Sequence[Measure | MeasureFunction],
    ) -> None:
        for gt in gts:
            if len(gt) and not 0 <= gt.labels.min() <= gt.labels.max() < len(class_names):
                raise ValueError(
                    f"ground truth of image id {gt.image_id}: expected labels 0 to "
                    f"{len(class_names) - 1}, got {gt.labels.min()} to {gt.labels.max()}"
                )
        self.gts = tuple(gts)
        self.class_names = tuple(class_names)
        self.measures = tuple(measures)
        self._store = DetectionStore(self.gts, len(self.class_names))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all metrics; of an evaluation without detections where a measure states none."""
        stated = [m.names for m in self.measures if isinstance(m, Measure)]
        if stated and len(stated) == len(self.measures):
            return tuple(name for names in stated for name in names)
        return tuple(self.compute().metrics)

    @property
    def lower_is_better(self) -> frozenset[str]:
        """Names of the metrics that fall as a detector gets better."""
        return frozenset(
            name for m in self.measures if isinstance(m, Measure) for name in m.lower_is_better
        )

    def improves(self, metric: str, value: float, best: float) -> bool:
        """Return whether ``value`` of ``metric`` is better than ``best``.

        A negative number is undefined and worse than any other.
        """
        if value < 0 or best < 0:
            return value > best
        return value < best if metric in self.lower_is_better else value > best

    def update(self, image_id: int, detections: Detections) -> None:
        """Add the detections of one image, image frame; a second call for it replaces the first.

        Raises:
            ValueError: the image is unknown, or the detections are malformed.
        """
        self._store.update(image_id, detections)

    def state(self) -> DetectionColumns:
        """Return the detections gathered in this process, for :meth:`merge` in another."""
        return self._store.columns()

    def merge(self, states: Sequence[DetectionColumns]) -> None:
        """Add what other processes have gathered; this process's own state may be among them."""
        for state in states:
            self._store.merge(state)

    def compute(self) -> Evaluation:
        """Compute the metrics of all detections so far. Without detections AP is 0."""
        columns = self._store.columns()
        found = [measure(self.gts, self.class_names, columns) for measure in self.measures]
        return Evaluation(
            metrics={name: value for each in found for name, value in each.metrics.items()},
            per_class=tuple(row for each in found for row in each.per_class),
            notes=tuple(dict.fromkeys(note for each in found for note in each.notes)),
            tables=tuple(table for each in found for table in each.tables),
            operating_point=best_operating_point(self.gts, len(self.class_names), columns),
        )
