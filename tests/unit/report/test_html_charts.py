"""Plots: what is drawn is where the numbers say."""

import re

import made_reports
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litegate.report.html.charts.bars import layer_bar
from litegate.report.html.charts.classes import class_change, class_scale
from litegate.report.html.charts.curves import curves
from litegate.report.html.charts.interval import interval
from litegate.report.html.charts.matrix import difference, matrix
from litegate.report.html.charts.pareto import pareto, unbeaten
from litegate.report.html.charts.samples import sample
from litegate.report.html.charts.svg import Scale, rounded, tag, thinned
from litegate.report.html.charts.thresholds import has_curve, threshold_curve
from litegate.report.html.charts.timing import epochs, is_timed, times
from litegate.report.html.charts.treemap import Box, squarified, treemap
from litegate.report.html.page_data import (
    ClassChange,
    Confusions,
    Epoch,
    LayerDifference,
    Numbers,
    SizeShare,
)


def at(drawn, what):
    """The share of the width at which the first shape of a class stands."""
    found = re.search(rf'class="{what}"[^>]*? (?:x1|cx|x)="([\d.e-]+)%"', drawn)
    return float(found[1])


@pytest.mark.parametrize(("outcome", "beyond"), [("pass", False), ("fail", True)])
def test_a_value_stands_on_its_side_of_the_limit(outcome, beyond):
    drawn = interval(made_reports.verdict(outcome))
    assert (at(drawn, f"dot {outcome}") > at(drawn, "limit")) is beyond


def test_the_interval_is_drawn_around_the_value():
    drawn = interval(made_reports.verdict("pass"))
    x1, x2 = map(float, re.search(r'bar pass" x1="([\d.]+)%" x2="([\d.]+)%"', drawn).groups())
    assert x1 < at(drawn, "dot pass") < x2


def test_the_allowed_side_follows_the_relation():
    row = made_reports.verdict("pass")
    most, least = interval(row), interval(row | {"relation": ">="})
    assert at(most, "kept") == 0
    assert at(least, "broken") == 0


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e18, -0.25])
def test_a_value_at_its_limit_is_drawn(value):
    ends = {"low": value, "high": value, "level": 0.95, "method": "a method"}
    row = made_reports.verdict("pass") | {"value": value, "limit": value, "interval": ends}
    drawn = interval(row)
    assert at(drawn, "dot pass") == at(drawn, "limit")
    assert "nan" not in drawn


def test_without_an_interval_nothing_is_drawn():
    assert interval(made_reports.verdict("fail") | {"interval": None}) == ""


def bounds(value, low, high, limit, **more):
    ends = {"low": low, "high": high, "level": 0.95, "method": "a method"}
    return made_reports.verdict() | {"value": value, "limit": limit, "interval": ends} | more


def test_a_loss_is_drawn_to_scale_from_zero():
    """A value at 4 of 5 stands at four fifths of the way from 0 to the limit."""
    drawn = interval(bounds(0.04, 0.039, 0.041, 0.05))
    zero, value, limit = (at(drawn, what) for what in ("ground", "dot pass", "limit"))
    assert (value - zero) / (limit - zero) == pytest.approx(0.8, abs=1e-3)


def test_a_share_that_should_be_large_is_drawn_up_to_all():
    drawn = interval(bounds(0.9, 0.8, 0.95, 0.85, relation=">=", unit="%"))
    assert at(drawn, "ground") == pytest.approx(95.45, abs=0.1)  # its right end, less the room
    assert ">100 %</text>" in drawn


def test_a_metric_without_a_known_end_has_no_mark_but_its_limit():
    drawn = interval(bounds(1.2, 1.1, 1.4, 1.0, relation=">=", unit="score"))
    assert 'class="ground"' not in drawn
    assert re.findall(r"<text[^>]*>(.*?)</text>", drawn) == ["limit"]


def test_a_scale_keeps_order_and_room():
    scale = Scale([2.0, 4.0])
    assert 0 < scale(2.0) < scale(3.0) < scale(4.0) < 1
    assert scale(-100) == 0
    assert scale(100) == 1


@pytest.mark.parametrize("sizes", [[1], [6, 6, 4, 3, 2, 2, 1], [10**9, 1, 1], [5] * 40])
def test_a_treemap_fills_its_whole_by_area(sizes):
    boxes = squarified(sizes, Box(0.0, 0.0, 2.8, 1.0))
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(2.8 * size / sum(sizes), rel=1e-6)
        assert -1e-9 <= box.x <= box.x + box.width <= 2.8 + 1e-6
        assert -1e-9 <= box.y <= box.y + box.height <= 1.0 + 1e-6
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart_x = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            apart_y = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert apart_x <= 1e-6 or apart_y <= 1e-6


def test_a_treemap_names_parts_by_the_end_of_their_path():
    drawn = treemap(
        [SizeShare(name="a/b/dense/MatMul;a/c", kind="weight", operator="CONV_2D", bytes=9)]
    )
    assert "<b>dense/MatMul</b>" in drawn
    assert 'title="a/b/dense/MatMul;a/c, CONV_2D, 9 B"' in drawn


FOUND = Confusions(
    names=("cat", "dog"),
    left_out=0,
    counts={"base": ((9, 1), (2, 8)), "candidate": ((4, 6), (1, 9))},
)


def cells(drawn):
    return re.findall(r"<td(?: class=(\w)\d)?>([^<]*)", drawn)


def test_a_matrix_tells_right_answers_from_mistakes():
    assert cells(matrix(FOUND, "base")) == [("r", "9"), ("e", "1"), ("e", "2"), ("r", "8")]


def test_a_difference_tells_worse_from_better():
    """A right answer less is worse, a mistake less is better."""
    found = cells(difference(FOUND, "base"))
    assert found == [("e", "-5"), ("e", "+5"), ("r", "-1"), ("r", "+1")]


def test_a_class_that_lost_is_marked_worse():
    changes = [ClassChange(name="cat", n=10, before=0.9, after=0.4)]
    drawn = class_change(changes[0], class_scale(changes))
    assert at(drawn, "dot worse") < at(drawn, "dot before")
    assert "from 90.00 % to 40.00 %" in drawn


def history(*accuracies, stage="train"):
    return [
        Epoch(stage=stage, number=n, scores={"accuracy": a, "val_accuracy": a - 0.1})
        for n, a in enumerate(accuracies, start=1)
    ]


def test_curves_draw_both_splits_of_every_side():
    drawn = curves("accuracy", [("reference", history(0.5, 0.9)), ("candidate", history(0.6, 0.8))])
    for role in ("reference", "candidate"):
        for split in ("train", "evaluation"):
            assert f'class="curve {role} {split}"' in drawn


def test_curves_of_one_epoch_are_dots():
    drawn = curves("accuracy", [("candidate", history(0.9))])
    assert drawn.count("<circle") == 2
    assert 'cx="50%"' in drawn


def test_curves_say_where_the_training_goes_on_in_another_way():
    epochs_ = [*history(0.5, 0.6), Epoch(stage="fine-tune", number=3, scores={"accuracy": 0.7})]
    assert "fine-tune" in curves("accuracy", [("candidate", epochs_)])


def test_without_a_history_there_is_no_curve():
    assert not curves("loss", [("candidate", history(0.9))])


def test_the_frontier_goes_through_the_best_recipes_alone():
    rows = [
        made_reports.recipe(name=name) | {"bytes": size, "accuracy": accuracy}
        for name, size, accuracy in (("a", 100, 0.9), ("b", 200, 0.8), ("c", 300, 0.95))
    ]
    drawn = pareto(rows, "bytes")
    assert drawn.count('class="frontier"') == 2
    assert [drawn.count(f">{number}</text>") for number in (1, 2, 3)] == [1, 1, 1]


def test_recipes_without_labels_have_no_accuracy_to_draw():
    rows = [made_reports.recipe(), made_reports.recipe(name="b") | {"accuracy": None}]
    assert not pareto(rows, "bytes")
    assert unbeaten(rows) == []


def rated(name, better, value, size):
    metrics = {"rmse": {"value": value, "unit": "score", "better": better}}
    return made_reports.recipe(name=name) | {"accuracy": None, "metrics": metrics, "bytes": size}


@pytest.mark.parametrize(("better", "expected"), [("lower", ["a", "b"]), ("higher", ["b", "c"])])
def test_recipes_without_accuracy_are_drawn_by_their_first_metric(better, expected):
    """The better, the higher, whichever way the metric improves."""
    rows = [rated(*each) for each in (("a", better, 0.2, 300), ("b", better, 0.3, 100))]
    rows.append(rated("c", better, 0.4, 300))
    drawn = pareto(rows, "bytes")
    assert "rmse over bytes of 3 recipes" in drawn
    assert unbeaten(rows) == expected
    heights = [float(y) for y in re.findall(r'class="recipe[^>]* cy="([\d.]+)%"', drawn)]
    assert (heights[0] < heights[2]) is (better == "lower")


def test_a_metric_whose_better_side_is_not_told_is_not_drawn():
    """Older reports do not tell it."""
    row = rated("a", "lower", 0.2, 300)
    del row["metrics"]["rmse"]["better"]
    assert not pareto([row], "bytes")


def test_recipes_of_a_run_that_timed_nothing_are_drawn_over_bytes_alone():
    rows = [made_reports.recipe(name="a") | {"bytes": 9}, made_reports.recipe(name="b")]
    assert pareto(rows, "bytes")
    assert not pareto(rows, "latency")


def test_what_is_beaten_in_nothing_is_named():
    rows = [
        made_reports.recipe(name=name) | {"accuracy": accuracy, "bytes": size, "latency": seconds}
        for name, accuracy, size, seconds in (
            ("small", 0.9, 100, 3e-6),
            ("fast", 0.9, 300, 1e-6),
            ("good", 0.95, 300, 3e-6),
            ("as small, slower", 0.9, 100, 4e-6),
            ("worst", 0.8, 400, 9e-6),
            ("good's twin", 0.95, 300, 3e-6),
        )
    ]
    assert unbeaten(rows) == ["small", "fast", "good", "good's twin"]
    assert unbeaten([row | {"latency": None} for row in rows]) == [
        *("small", "good", "as small, slower", "good's twin")
    ]


def timed(ratio, **more):
    series = {"candidate": [ratio * 1e-5] * 9, "reference": [1e-5] * 9}
    return made_reports.verdict("pass") | {"unit": "ratio", "limit": 1.025, "series": series} | more


def test_epochs_above_the_limit_are_marked():
    assert epochs(timed(1.10)).count('class="epoch over"') == 9
    assert epochs(timed(1.00)).count('class="epoch over"') == 0


def test_growth_is_held_against_one_and_its_limit():
    drawn = epochs(timed(1.10, unit="%", limit=0.25))
    assert "limit 1.250" in drawn
    assert "epoch over" not in drawn


def test_a_limit_far_above_is_named_and_leaves_room_for_the_epochs():
    drawn = epochs(timed(1.10, limit=10.0))
    assert "limit 10.000, far above" in drawn
    assert 'class="level limit"' not in drawn
    assert 'class="level limit"' in epochs(timed(1.10, limit=1.5))


def test_both_distributions_are_drawn_on_one_scale():
    drawn = times(timed(2.0))
    assert at(drawn, "bin candidate") > at(drawn, "bin reference")
    assert "base 10.0 us" in times(timed(2.0, base="key"))


@pytest.mark.parametrize("series", [{}, None, {"candidate": [1.0]}, {"candidate": [0.0] * 9}])
def test_a_row_without_enough_times_is_not_timed(series):
    assert not is_timed(made_reports.verdict() | {"series": series})


def test_numbers_are_bars_from_zero():
    drawn = sample(Numbers(values=(3.0, -1.0, 0.0, float("nan")), note=""), "a row")
    bars = re.findall(r'y="([\d.]+)" height="([\d.]+)"', drawn)
    assert bars == [("2", "33"), ("35", "11"), ("35", "0"), ("35", "0")]


@pytest.mark.parametrize("hostile", made_reports.HOSTILE)
def test_hostile_text_stays_text_in_an_element(hostile):
    drawn = tag("text", hostile, title=hostile)
    assert drawn.count("<") == 2
    assert drawn.count('"') == 2


def test_a_long_series_is_thinned_with_both_ends():
    assert thinned(range(1000), 5) == [0, 250, 500, 749, 999]
    assert thinned([1, 2], 5) == [1, 2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], [7]),
        ([0.9, 1.0], [0.9, 0.95, 1.0]),
        ([6_488, 9_648], [7_000, 8_000, 9_000]),
        ([0.245, 0.981], [0.4, 0.6, 0.8]),
        ([3.1e-6, 47e-6], [10e-6, 20e-6, 30e-6, 40e-6]),
        ([-1, 2], [-1, 0, 1, 2]),
        ([0.91, 0.94], [0.91, 0.92, 0.93, 0.94]),
        ([1, 3], [1, 2, 3]),
        ([0.95, 4.05], [1, 2, 3, 4]),
        ([0.95, 5.05], [2, 4]),
    ],
)
def test_an_axis_has_round_numbers_or_both_ends(values, expected):
    assert rounded(values) == pytest.approx(expected)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_numbers_of_an_axis_are_few_and_within(values):
    found, span = rounded(values), max(values) - min(values)
    assert 1 <= len(found) <= 4
    assert min(values) - 1e-9 * span <= min(found) <= max(found) <= max(values) + 1e-9 * span


@pytest.mark.parametrize(("alarming", "diverges"), [(True, True), (False, True), (True, False)])
def test_a_layer_is_red_where_a_promise_is_broken(alarming, diverges):
    """In a model that passes, the largest error is no alarm."""
    one = LayerDifference(
        name="conv", operator="CONV_2D", difference=0.2, sqnr="14.0 dB", diverges=diverges
    )
    assert ("worse" in layer_bar(one, 1, alarming=alarming)) is (alarming and diverges)


def test_a_detector_is_drawn_over_thresholds():
    """The declared threshold has a dot, and the limit a line; one threshold is no curve."""
    series = {"threshold": [0.4, 0.5, 0.6], "false_accepts_per_hour": [4.0, 1.0, 0.0]}
    row = made_reports.verdict("fail") | {"unit": "score", "limit": 0.5, "value": 1.0}
    row |= {"measurement": "false_accepts_per_hour", "series": series}
    assert has_curve(row)
    drawn = threshold_curve(row)
    assert 'aria-label="false_accepts_per_hour at 3 thresholds from 0.4 to 0.6"' in drawn
    assert drawn.count("<circle") == 1
    assert "limit 0.5000" in drawn
    assert not has_curve(row | {"series": {"threshold": [0.5], "false_accepts_per_hour": [1.0]}})
    assert not has_curve(row | {"series": {}})
    assert not has_curve(timed(1.1))
