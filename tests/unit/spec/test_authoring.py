"""What a declaration refuses at once, before anything is built."""

import math

import pytest

import litegate as lg
from litegate.core.errors import ConfigError
from litegate.spec import Splits
from litegate.spec.authoring import record_models


def as_it_is(samples):
    return samples


def declared(name="mine", **data):
    made = {
        "name": "made",
        "load": lambda _: Splits(),
        "digests": {},
        "preprocess": as_it_is,
        "domain": (0.0, 1.0),
        "classes": ("a", "b"),
    }
    return lg.prebuilt(reference="a", candidate="b", name=name, data=lg.Data(**(made | data)))


@pytest.mark.parametrize("preprocess", [lambda samples: samples, 3])
def test_a_preprocessing_has_a_source(preprocess):
    """It is part of the key; a lambda ended pytest with a traceback when the key was asked for."""
    with pytest.raises(ConfigError, match=r"preprocessing of mine is not a named function"):
        declared(preprocess=preprocess)


@pytest.mark.parametrize(
    "domain", [(1, 0), (0, 0), (-math.inf, math.inf), (0, math.nan), {"a": (0, 1), "b": (1, 0)}]
)
def test_a_domain_is_a_finite_range(domain):
    with pytest.raises(ConfigError, match="the domain of mine is not a range"):
        declared(domain=domain)


@pytest.mark.parametrize("classes", [10, "cat dog", None, ("cat", 1)])
def test_classes_are_names(classes):
    """A number ended the build with a TypeError; each letter of a text was a class."""
    with pytest.raises(ConfigError, match=r"Data\(classes=\.\.\.\) takes the names"):
        declared(classes=classes)


@pytest.mark.parametrize("name", ["kws/v2", "../../esc", "..", "a\\b"])
def test_a_name_is_no_path(name):
    """Failing inputs are kept in files that are called by it."""
    with pytest.raises(ConfigError, match="cannot be the name of a model"):
        declared(name)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"keras_agreement": lg.percent(9)}, "prebuilt files have no Keras network"),
        ({"keras_difference": lg.quanta(9)}, "prebuilt files have no Keras network"),
        ({"leaked_samples": 0}, "the training data of prebuilt files are unknown"),
    ],
)
def test_limits_of_a_training_are_none_of_ready_made_files(limit, said):
    with pytest.raises(ConfigError, match=said):
        lg.prebuilt(
            reference="a",
            candidate="b",
            name="mine",
            data=declared().data,
            budget=lg.Budget(**limit),
        )


def test_a_builder_takes_the_module_of_keras():
    """Before a tool chain is started for it."""

    def network():
        """A network."""

    with pytest.raises(ConfigError, match=r"the builder network cannot be called") as told:
        lg.model(data=declared().data, recipes=[lg.recipes.int8_qat()])(network)
    assert "def network(keras)" in told.value.expected


@pytest.mark.parametrize("name", ["epochs", "batch_size", "seed", "threads"])
def test_a_training_counts_in_whole_numbers(name):
    with pytest.raises(ConfigError, match=rf"Training\({name}=...\) must be a whole number"):
        lg.Training(**{name: "10"})


def test_a_recording_inside_another_ends_alone():
    """Both lists were empty, so equal, and the end of the inner one removed the outer one."""
    with record_models() as outer:
        with record_models() as inner:
            pass
        model = declared()
    assert (outer, inner) == ([model], [])
