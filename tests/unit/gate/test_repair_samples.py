"""The samples that choose layers are others than those that judge, calibrate or are compared."""

from dataclasses import replace

import numpy as np
import pytest

import litegate as lg
from litegate.build.toolchain.calibration import calibration_indices
from litegate.gate.checks.verdict_context import judged_part
from litegate.gate.repair.samples import MOST, choice, halves
from litegate.spec import Data, Splits
from litegate.spec.cases import Case
from litegate.testing import artifact, evaluation

SPLIT = evaluation()
COUNT = len(SPLIT.x)
RECIPE = lg.recipes.static_wi8_ai8(calibration_samples=50)


class Files:
    """A data set whose sample k has the value k in its first place."""

    def __init__(self, count, y=None):
        self.count, self.y = count, np.zeros(count, SPLIT.y.dtype) if y is None else y

    def prepared(self, _data):
        if not self.count:
            return Splits(x_test=SPLIT.x)
        x = np.zeros((self.count, *SPLIT.x.shape[1:]), np.float32)
        x[:, 0, 0, 0] = np.arange(self.count)
        return Splits(x_train=x, y_train=self.y, x_test=SPLIT.x)


def model(recipe=RECIPE):
    data = Data(name="d", load=len, preprocess=len, domain=(0.0, 1.0), classes=SPLIT.classes)
    return lg.prebuilt(reference="a.tflite", recipes=[recipe], data=data, name="net")


def chosen(files, recipe=RECIPE, split=SPLIT):
    return choice(files, model(recipe), recipe, split)


def test_samples_that_did_not_calibrate_choose():
    made = chosen(Files(COUNT))
    numbers = made.chooses.x[:, 0, 0, 0].astype(int).tolist()
    calibrated = calibration_indices(COUNT, RECIPE, model().training).tolist()
    assert sorted([*numbers, *calibrated]) == list(range(COUNT))
    assert made.judges is SPLIT
    assert made.chooses.digest != SPLIT.digest
    assert not made.is_half


def test_no_more_than_ten_thousand_choose():
    assert len(chosen(Files(MOST + 51)).chooses.x) == MOST


@pytest.mark.parametrize(
    ("count", "is_half"), [(COUNT // 2 + 49, True), (COUNT // 2 + 50, False), (0, True)]
)
def test_halves_are_taken_if_too_few_samples_are_left(count, is_half):
    """Fewer than half of the evaluation split."""
    assert chosen(Files(count)).is_half is is_half


def test_other_labels_cannot_choose():
    """As those of an anomaly detector, which repeats its inputs."""
    assert chosen(Files(COUNT, np.zeros((COUNT, 3), np.float32))).is_half


def test_halves_share_no_sample_and_stay_the_same():
    first, second = halves(SPLIT, 7)
    assert sorted([*first.chosen, *second.chosen]) == list(range(COUNT))
    assert (first.digest, second.digest) == tuple(it.digest for it in halves(SPLIT, 7))
    assert first.digest not in (second.digest, halves(SPLIT, 8)[0].digest)


def test_a_declared_half_judges_in_later_gates():
    """Both files of a comparison; and a repair of that recipe chooses on the other half again."""
    recipe = replace(RECIPE, float_layers=("conv",), chosen_on_half=True)
    case = Case(model=model(recipe), recipe=recipe)
    made = artifact(b"", split=SPLIT)
    _, second = halves(SPLIT, case.model.training.seed)
    assert judged_part(case, made).evaluation.digest == second.digest
    assert chosen(Files(10 * COUNT), recipe).judges.digest == second.digest
    assert judged_part(Case(model=model(), recipe=RECIPE), made) is made
    assert recipe.spec() == replace(recipe, chosen_on_half=False).spec()
