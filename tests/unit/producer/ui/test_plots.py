"""The plots: whatever the evaluation holds, each is well-formed, escaped and small."""

import math
from xml.etree.ElementTree import fromstring

import pytest

from app.models.column_profile import ColumnProfile, ValueCount
from app.models.evaluation_parts import (
    Averages,
    CalibrationCurve,
    Classification,
    ClassScores,
    FeatureImportance,
    Histogram,
    Importance,
    PartialDependence,
    PrecisionRecallCurve,
    Regression,
    RocCurve,
)
from app.models.manifest import FoldScores
from app.producer.ui.plots import bars, curves, points
from app.producer.ui.plots.columns import column_plot
from app.producer.ui.plots.matrix import confusion
from app.producer.ui.plots.svg import Plot, Scale

MARKUP = '</svg><script>alert("1")</script>&\x00' + "long" * 100
MOST = 25_000  # characters of a drawing
NAN, INF = math.nan, math.inf


def regression(actual: list[float], predicted: list[float]) -> Regression:
    residuals = [a - p for a, p in zip(actual, predicted, strict=True)]
    return Regression.model_construct(
        rows=len(actual),
        actual=actual,
        predicted=predicted,
        residuals=residuals,
        residual_histogram=Histogram.model_construct(edges=[0.0, 0.0], counts=[len(actual)]),
    )


def classes(count: int, rows: int = 3) -> Classification:
    scores = [
        ClassScores(
            label=f"{MARKUP}{n}" if n % 2 else n,
            precision=0.5,
            recall=0.5,
            f1=0.5,
            support=rows,
            roc_auc=0.5,
            roc=RocCurve(
                false_positive_rate=[0, 0.5, 1],
                true_positive_rate=[0, 0.7, 1],
                thresholds=[None, 0.5, 0],
            ),
            precision_recall=PrecisionRecallCurve(
                precision=[0.5, 1], recall=[1, 0], thresholds=[0.1, None]
            ),
            calibration=CalibrationCurve(predicted=[0.5], observed=[0.4], rows=[rows]),
        )
        for n in range(count)
    ]
    mean = Averages(precision=0.5, recall=0.5, f1=0.5)
    return Classification(
        rows=rows * count,
        classes=count,
        labels=[each.label for each in scores],
        confusion=[[rows if a == p else 0 for p in range(count)] for a in range(count)],
        per_class=scores,
        macro=mean,
        weighted=mean,
    )


def is_sound(plot: Plot) -> None:
    """Check that a drawing is one element, its texts escaped, with its numbers in a table."""
    root = fromstring(str(plot.svg).replace("\x00", ""))
    assert root.tag == "svg"
    assert not list(root.iter("script"))
    assert root.find("title").text == plot.title.replace("\x00", "")
    assert root.find("desc").text == plot.description.replace("\x00", "")
    assert len(plot.svg) < MOST
    assert "nan" not in plot.svg
    assert "inf" not in plot.svg.replace("information", "")
    assert "style=" not in plot.svg
    assert all(len(row) == len(plot.columns) for row in plot.rows)


@pytest.mark.parametrize(
    ("actual", "predicted"),
    [
        ([], []),
        ([1.0], [1.0]),
        ([0.0] * 50, [0.0] * 50),
        ([1e308, -1e308], [-1e308, 1e308]),
        ([5e-324, 0.0], [0.0, 5e-324]),
        ([1.0, NAN, INF], [1.0, 2.0, 3.0]),
        ([1e16, 1e16 + 2], [1e16, 1e16]),
        ([float(n % 997) for n in range(2000)], [float(n % 991) for n in range(2000)]),
    ],
    ids=["none", "one", "same", "huge", "tiny", "not finite", "close", "many"],
)
def test_points_of_any_size_are_drawn(actual: list[float], predicted: list[float]) -> None:
    found = regression(actual, predicted)
    for plot in (
        points.predicted_against_actual(found),
        points.residuals(found),
        points.histogram(found.residual_histogram, "Title", "residual"),
    ):
        is_sound(plot)


def test_each_row_is_a_dot_at_its_place() -> None:
    plot = points.predicted_against_actual(regression([0.0, 10.0], [0.0, 5.0]))

    (path,) = fromstring(str(plot.svg)).iter("path")
    assert path.get("d") == "M76 274h0M448 142h0"  # the left end; the right end, half as high
    assert list(plot.rows) == [("0 to 0", 1, 0.0), ("10 to 10", 1, 5.0)]


@pytest.mark.parametrize("count", [1, 2, 3, 50, 100])
def test_any_number_of_classes_is_drawn(count: int) -> None:
    found = classes(count)
    drawn = [
        confusion(found),
        curves.roc(found.per_class),
        curves.precision_recall(found.per_class),
        curves.calibration(found.per_class),
    ]

    for plot in drawn:
        assert plot is not None
        is_sound(plot)
    assert len(drawn[0].rows) == min(count, 12)


def test_a_classifier_without_probabilities_has_no_curves() -> None:
    plain = ClassScores(label="a", precision=1, recall=1, f1=1, support=1)

    assert (
        curves.roc([plain])
        is curves.precision_recall([plain])
        is curves.calibration([plain])
        is None
    )


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_any_number_of_features_is_drawn(count: int) -> None:
    features = [FeatureImportance(feature=f"{MARKUP}{n}", mean=-n, std=n) for n in range(count)]
    found = Importance(
        score="r2", base=0.5, measured_on="test", rows=9, repeats=5, features=features
    )

    plot = bars.importance(found)

    is_sound(plot)
    assert len(plot.rows) == min(count, 100)


def test_a_fold_that_does_not_define_a_metric_has_no_bar() -> None:
    (plot,) = bars.fold_plots({"auc": FoldScores(mean=0.5, std=0, folds=[0.5, None])})

    is_sound(plot)
    assert list(plot.rows) == [("fold 1", 0.5), ("fold 2", None)]


@pytest.mark.parametrize(
    "grid", [[1.0], [1.0, 2.0], [True, False], [MARKUP, "b"], ["2020-01-01", "2020-01-02"]]
)
@pytest.mark.parametrize("labels", [None, ["a"], list(range(20))])
def test_partial_dependence_of_any_type_is_drawn(grid: list, labels: list | None) -> None:
    values = [[0.5] * len(grid) for _ in labels or [""]]
    found = PartialDependence(feature=MARKUP, grid=grid, labels=labels, values=values, rows=5)

    plot = curves.partial_dependence(found)

    is_sound(plot)
    assert [row[0] for row in plot.rows] == grid


@pytest.mark.parametrize(("count", "named"), [(1, True), (5, True), (6, False)])
def test_few_texts_stand_below_the_axis_of_a_partial_dependence(count: int, named: bool) -> None:
    grid = [f"text {n}" for n in range(count)]
    found = PartialDependence(feature="f", grid=grid, labels=None, values=[[0.5] * count], rows=5)

    plot = curves.partial_dependence(found)

    is_sound(plot)
    assert all((f">{each}<" in plot.svg) is named for each in grid)
    assert ("in the order" in plot.svg) is not named


def test_a_column_shows_its_histogram_or_its_most_frequent_values() -> None:
    common = {"missing": 0, "distinct": 2}
    numbers = ColumnProfile(
        name=MARKUP, type="number", min=0.0, max=1.0, histogram=[0, 3], **common
    )
    frequent = [ValueCount(value=MARKUP, count=2)]
    texts = ColumnProfile(name="t", type="text", most_frequent=frequent, **common)

    for column in (numbers, texts):
        drawn = column_plot(column)
        assert fromstring(str(drawn).replace("\x00", "")).tag == "svg"
        assert "<script>" not in drawn
    assert column_plot(ColumnProfile(name="u", type="text", **common)) is None


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0, 10], [0, 2, 4, 6, 8, 10]),
        ([0.1, 0.35], [0.1, 0.15, 0.2, 0.25, 0.3, 0.35]),
        ([7], [4, 6, 8, 10]),
        ([], [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_numbers(values: list[float], ticks: list[float]) -> None:
    assert Scale.of(values, 0, 100).ticks() == pytest.approx(ticks)
