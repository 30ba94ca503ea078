"""The nouns refuse what cannot be: wrong units, names that are no names, numbers too low."""

import json
from dataclasses import replace

import pytest

import litegate as lg
from litegate.core.errors import ConfigError
from litegate.spec import Budget, Kind, Recipe, Regression

PRUNING = lg.Pruning(sparsity=lg.percent(60), epochs=2)
CLUSTERING = lg.Clustering(clusters=16, epochs=3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: lg.Budget(accuracy=lg.points(97)),
        lambda: lg.Budget(accuracy=0.97),
        lambda: lg.Budget(size=25),
        lambda: lg.Budget(size_ratio=lg.percent(30)),
        lambda: lg.Budget(latency=lg.kib(1)),
        lambda: lg.Regression(size=lg.kib(1)),
        lambda: lg.Training(epochs=-1),
        lambda: lg.Training(batch_size=0),
        lambda: lg.Training(threads=0),
        lambda: lg.Training(seed=-1),
        lambda: lg.recipes.int8_ptq(calibration_samples=0),
        lambda: lg.recipes.int8_qat(fine_tune_epochs=-1),
        lambda: lg.recipes.int8_qat(input_type="int4"),
        lambda: lg.recipes.int8_qat(name="../int8"),
        lambda: lg.recipes.int8_qat(name=" "),
        lambda: lg.recipes.int8_qat(annotate=lambda network, _tfmot: network),
        lambda: lg.recipes.int8_qat(float_layers=[1]),
        lambda: lg.recipes.int8_qat(float_layers=[""]),
        lambda: lg.recipes.int8_qat(float_layers=["dense"], strip=True),
        lambda: lg.recipes.int8_qat(from_scratch=True, pruning=PRUNING),
        lambda: lg.recipes.int8_qat(from_scratch=True, clustering=CLUSTERING),
        lambda: Recipe(name="float32", kind=Kind.FLOAT32, pruning=PRUNING),
        lambda: Recipe(name="int8_ptq", kind=Kind.INT8_PTQ, float_layers=("dense",)),
        lambda: Recipe(name="static_wi8_ai16", kind=Kind.STATIC_WI8_AI16, int16_layers=("dense",)),
        lambda: Recipe(name="int8_qat", kind=Kind.INT8_QAT, int16_layers=("dense",)),
        lambda: lg.recipes.static_wi8_ai8(int16_layers=[""]),
        lambda: lg.recipes.static_wi8_ai8(int16_layers="dense", strip=True),
        lambda: lg.recipes.static_wi8_ai8(float_layers=["a", "b"], int16_layers=["b"]),
        lambda: lg.Pruning(sparsity=0.6),
        lambda: lg.Pruning(sparsity=lg.percent(0)),
        lambda: lg.Pruning(sparsity=lg.percent(100)),
        lambda: lg.Pruning(sparsity=lg.percent(60), epochs=0),
        lambda: lg.Clustering(clusters=1),
        lambda: lg.Clustering(clusters=16, epochs=0),
        lambda: lg.Budget(sparsity=0.6),
        lambda: lg.Budget(unique_weights=lg.percent(60)),
    ],
)
def test_what_cannot_be_is_refused(make):
    """At the line that declares it, not in the middle of a run."""
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: lg.recipes.dynamic_range(name="int8_qat"), "int8_qat"),
        (lambda: lg.recipes.dynamic_range(name="int8_pcqat"), "int8_qat"),
        (lambda: lg.recipes.int8_ptq(name="int8_qat_scratch"), "int8_qat"),
        (lambda: lg.recipes.float16(name="int8_ptq"), "int8_ptq"),
        (lambda: lg.recipes.int8_qat(name="float32"), "float32"),
        (lambda: lg.recipes.int16x8(name="dynamic_range"), "dynamic_range"),
    ],
)
def test_a_recipe_with_the_name_of_another_kind_is_refused(make, kind):
    """Reports, reviewers and limits would take it for what it is not."""
    with pytest.raises(ConfigError, match=f"is named like the kind {kind}"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: lg.recipes.int8_qat(name="int8_qat", from_scratch=True),
        lambda: lg.recipes.int8_qat(pruning=PRUNING, clustering=CLUSTERING),
        lambda: lg.recipes.dynamic_range(name="like_int8_qat"),
        lambda: lg.recipes.float16(name="small"),
    ],
)
def test_a_name_of_the_own_kind_or_of_none_is_taken(make):
    assert make().name


def test_the_least_values_are_taken():
    """One epoch, one sample, seed 0."""
    assert lg.Training(epochs=0, batch_size=1, seed=0, threads=1).seed == 0
    assert lg.recipes.int8_ptq(calibration_samples=1).calibration_samples == 1


def test_a_wrong_unit_is_told_with_the_right_one():
    """What was expected, what was got, what to write."""
    with pytest.raises(ConfigError, match=r"quantity in %[\s\S]*points[\s\S]*litegate\.percent"):
        lg.Budget(accuracy=lg.points(1))


def test_a_recipes_budget_stands_over_the_models():
    """Field by field."""
    model = Budget(size=lg.kib(10), size_ratio=0.5)
    assert Budget(size=lg.kib(5)).with_defaults(model) == Budget(size=lg.kib(5), size_ratio=0.5)


def test_unset_limits_are_named():
    """Limits alone: the regression against a base has defaults."""
    unset = Budget(size=lg.kib(5)).unset_limits()
    assert "size" not in unset
    assert "regression" not in unset
    assert {"accuracy", "latency"} <= set(unset)


def test_the_reference_sees_as_many_epochs():
    """Fine-tuning is matched by a float control; other recipes need none."""
    assert lg.recipes.int8_qat(fine_tune_epochs=2).reference.name == "float32+2"
    assert lg.recipes.int8_qat(from_scratch=True).reference.name == "float32"
    assert lg.recipes.int8_ptq().reference == Recipe(name="float32", kind=Kind.FLOAT32, gate=False)


def test_pruning_and_clustering_name_the_recipe_and_lengthen_its_reference():
    """As the field calls them; every epoch after the model's own is matched."""
    pruned = lg.recipes.int8_qat(pruning=PRUNING)
    clustered = lg.recipes.int8_qat(clustering=CLUSTERING)
    both = lg.recipes.int8_qat(pruning=PRUNING, clustering=CLUSTERING, fine_tune_epochs=4)
    found = [(one.name, one.reference.name) for one in (pruned, clustered, both)]
    assert found == [
        ("int8_pqat", "float32+3"),
        ("int8_cqat", "float32+4"),
        ("int8_pcqat", "float32+9"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        lg.recipes.int8_qat(),
        lg.recipes.int8_qat(pruning=lg.Pruning(sparsity=lg.percent(61), epochs=2)),
        lg.recipes.int8_qat(pruning=lg.Pruning(sparsity=lg.percent(60), epochs=1)),
        lg.recipes.int8_qat(pruning=PRUNING, clustering=CLUSTERING),
        lg.recipes.int8_qat(pruning=PRUNING, float_layers=("dense",)),
    ],
)
def test_what_changes_the_bytes_is_part_of_the_spec(other):
    """In JSON's types; the order in which float layers are named is not."""
    spec = lg.recipes.int8_qat(pruning=PRUNING).spec()
    assert json.loads(json.dumps(spec)) == spec
    assert other.spec() != spec
    ways = (["a", "b"], ["b", "a"])
    one, same = (lg.recipes.int8_qat(float_layers=names).spec() for names in ways)
    assert one == same
    assert lg.recipes.int8_qat(float_layers="dense").float_layers == ("dense",)
    assert lg.recipes.static_wi8_ai16(float_layers="dense").spec()["float_layers"] == ["dense"]
    wide = lg.recipes.static_wi8_ai8(float_layers="a", int16_layers=("c", "b")).spec()
    assert (wide["float_layers"], wide["int16_layers"]) == (["a"], ["b", "c"])
    assert "int16_layers" not in lg.recipes.static_wi8_ai8().spec()


def test_the_defaults_against_a_base():
    """0.5 points, 1 % of bytes, 2.5 % of time, no lost integer type; the rest is unset."""
    assert Regression() == Regression(
        accuracy=lg.points(0.5),
        size=lg.percent(1),
        latency=lg.percent(2.5),
        lost_types=0,
        latency_floor=lg.us(1),
    )
    assert Regression().unset_limits() == ("agreement", "operators")
    assert Regression(agreement=lg.percent(99), operators=0).unset_limits() == ()


@pytest.mark.parametrize("floor", [None, lg.us(-1), lg.percent(1), 1e-6])
def test_a_floor_of_the_latency_is_a_time(floor):
    """None would drop the whole check; zero is no floor."""
    with pytest.raises(ConfigError, match="latency_floor"):
        Regression(latency_floor=floor)
    assert Regression(latency_floor=lg.us(0)).latency_floor.value == 0


def _declared(own, recipes_own=None, *, gate=True):
    recipe = lg.recipes.int8_qat(budget=recipes_own, gate=gate)

    @lg.model(data=lg.datasets.digits(), recipes=[recipe], budget=own)
    def net(keras):
        """A network."""

    return net


FREE = lg.Regression(size=None)


@pytest.mark.parametrize(
    ("own", "recipes_own"),
    [
        (lg.Budget(regression=FREE), None),
        (lg.Budget(size_ratio=0.4, regression=FREE), None),
        (lg.Budget(size=lg.kib(9)), None),
        (lg.Budget(), lg.Budget(regression=FREE)),
    ],
)
def test_growth_may_be_a_note_beside_an_absolute_budget_alone(own, recipes_own):
    """Of the model or of the recipe: else nothing would limit the bytes."""
    if own.size is None:
        with pytest.raises(ConfigError, match="int8_qat may grow without a limit"):
            _declared(own, recipes_own)
        assert _declared(own, recipes_own, gate=False)
    bounded = lg.Budget(size=lg.kib(9), regression=FREE)
    assert _declared(own, bounded).budget_of(_declared(own, bounded).recipes[0]).size


def test_a_declared_change_without_values_is_one_for_good():
    """The values of the others are spent once they are the base's."""
    spent, lasting = "input 'x': type uint8 -> int8", "output 'y': scale"
    assert Regression(interface=(spent, lasting)).lasting_changes == (lasting,)
    assert Regression().lasting_changes == ()


@pytest.mark.parametrize(
    "limits",
    [
        {"agreement": lg.points(1)},
        {"agreement": 0.99},
        {"operators": -1},
        {"operators": 1.0},
        {"operators": True},
        {"lost_types": lg.percent(1)},
    ],
)
def test_a_limit_against_a_base_in_another_unit_is_refused(limits):
    """A count is a plain number from 0 on."""
    with pytest.raises(ConfigError, match=next(iter(limits))):
        Regression(**limits)


@pytest.mark.parametrize("name", ["size_ratio", "latency_ratio", "real_time_factor"])
@pytest.mark.parametrize("ratio", [float("nan"), float("inf"), 10**400, "2", True])
def test_a_ratio_that_is_no_finite_number_is_refused(name, ratio):
    with pytest.raises(ConfigError, match=rf"{name}=.*\) must be a plain number") as caught:
        lg.Budget(**{name: ratio})
    assert len(str(caught.value)) < 200


def test_the_baseline_is_known_where_no_recipe_declares_it():
    """A fine-tuned recipe's reference is another float network, with more epochs."""

    @lg.model(data=lg.datasets.digits(), recipes=[lg.recipes.int8_qat(fine_tune_epochs=2)])
    def fine_tuned(keras):
        """Never built."""

    for name, epochs in (("float32", 0), ("float32+2", 2), ("int8_qat", 2)):
        assert fine_tuned.recipe(name).fine_tune_epochs == epochs
    with pytest.raises(KeyError):
        fine_tuned.recipe("float32+1")


def test_limits_of_a_recipes_metric_stand_over_the_models():
    """One that is unset there holds as the model has it, as any limit does."""
    mine = lg.Budget(metrics=(lg.metrics.f1(least=0.9),))
    whole = lg.Budget(metrics=(lg.metrics.f1(least=0.5, loss=0.1), lg.metrics.auc(least=0.9)))
    merged = mine.with_defaults(whole)
    assert [one.name for one in merged.metrics] == ["f1", "auc"]
    assert merged.metric("f1").limits() == {"least": 0.9, "loss": 0.1}
    assert lg.Budget(size=lg.kib(1)).with_defaults(whole).metrics == whole.metrics


def test_a_recipes_metric_that_computes_something_else_takes_the_models_place():
    mine = lg.Budget(metrics=(lg.metrics.f1(of=1, least=0.9),))
    whole = lg.Budget(metrics=(lg.metrics.f1(least=0.5, loss=0.1),))
    assert mine.with_defaults(whole).metric("f1").limits() == {"least": 0.9}


def test_a_metric_is_the_same_whatever_is_promised_of_it():
    assert lg.metrics.f1(least=0.9) == lg.metrics.f1(loss=0.1)
    assert lg.metrics.f1(least=0.9) != lg.metrics.f1(least=0.9, of=1)


@pytest.mark.parametrize(
    ("data", "metrics", "chooses"),
    [
        ({}, (), True),
        ({}, (lg.metrics.f1(least=0.9), lg.metrics.auc(least=0.9)), True),
        ({"classes": ()}, (), False),
        ({"labels": False}, (), False),
        ({}, (lg.metrics.mse(most=1),), False),
        ({}, (lg.metrics.iou(least=0.5),), False),
    ],
)
def test_whether_a_model_has_an_accuracy(data, metrics, chooses):
    """Not without classes or labels, nor where a metric is of other outputs."""

    @lg.model(
        data=replace(lg.datasets.digits(), **data),
        recipes=[lg.recipes.int8_ptq()],
        budget=lg.Budget(metrics=metrics) if data.get("labels", True) else lg.Budget(),
    )
    def network(keras):
        """Never built."""

    assert network.has_accuracy is chooses
