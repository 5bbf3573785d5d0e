"""Results of comparisons, made by hand."""

from otadet.compare.result import Comparison, Curve, Equality, MethodResult, Pair, Spread

AP = (0.301, 0.322, 0.313)


def method(label: str, shift: float = 0.0) -> MethodResult:
    values = tuple(value + shift for value in AP)
    metrics = {name: Spread(values) for name in ("AP", "AP50", "APs", "AP alone", "AP crowded")}
    curve = Curve([10, 20, 30], [0.1, 0.2, 0.3], [0.05, 0.15, 0.25], [0.15, 0.25, 0.35])
    return MethodResult(
        label, (0, 1, 2), 400, {"method": label, "lr": 0.01}, {**metrics, "AR100": Spread(values)},
        {"seconds a step": Spread((0.2, 0.21, 0.22)), "peak memory, MiB": Spread((900.0,) * 3)},
        {"AP": curve, "loss": curve}, ("runs/a",) * 3,
    )  # fmt: skip


def pair(one: str, other: str, low: float, high: float, ahead: str | None = None) -> Pair:
    p = 0.01 if ahead else 0.4
    mean = (low + high) / 2
    return Pair("AP", one, other, (0, 1, 2), mean, low, high, p, p, ahead)


def comparison(one: str = "simota", other: str = "ota", third: str = "fcos") -> Comparison:
    """``one`` is ahead of ``other`` and not of ``third``."""
    return Comparison(
        data="cells",
        images=150,
        objects=6000,
        crowded=900,
        budget="400 steps of 8 images each",
        methods=[method(one, 0.02), method(third, 0.01), method(other)],
        pairs=[
            pair(one, third, -0.002, 0.022),
            pair(one, other, 0.003, 0.021, ahead=one),
            pair(third, other, -0.021, 0.001),
        ],
        equalities=[
            Equality("budget", True, "400 steps of 8 images each"),
            Equality("network", False, f"{one} alone: head.quality_out.weight"),
            Equality("initial weights", None, "not recorded"),
        ],
        notes=["methods have different seeds"],
        failed={f"{other}, seed 3": "train was killed by SIGKILL"},
        resamples=1000,
        environment={"otadet": "0.1.0"},
    )
