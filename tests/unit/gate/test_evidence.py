"""From artifacts to what a page shows: counted as the measures count, capped, from the store."""

import hashlib
import json
import time
from dataclasses import replace

import made_reports
import numpy as np
import pytest

from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.core.errors import StoreCorrupt
from litegate.gate.evidence import Comparison, gather, in_memory, in_store, runtimes
from litegate.gate.evidence import flips as sheets
from litegate.gate.evidence.pictures import page_bytes, picture
from litegate.gate.evidence.predictions import predictions, probabilities
from litegate.gate.page import rows
from litegate.measures.accuracy import flips
from litegate.report.html import page
from litegate.report.html.charts.samples import sample
from litegate.runtimes.inference import has_outputs, predict
from litegate.spec import Evaluation, Kind
from litegate.testing import artifact, evaluation, float_layer, revalue, tiny

GOOD = tiny(Kind.INT8_QAT)
LARGE = evaluation(2000)
SAFE = {"model": "tiny", "recipe": "int8_qat"}


def biased(by):
    """The candidate with every class drowned by the last one, more or less."""
    return revalue(GOOD, "dense/bias", lambda bias: bias + np.array([0, 0, 0, by], bias.dtype))


def comparison(tflite=None, base=GOOD, split=LARGE, **over):
    """A candidate beside its reference and its base, as a run has them at hand."""
    return Comparison(
        **(SAFE | over),
        candidate=artifact(biased(10**6) if tflite is None else tflite, split=split),
        reference=artifact(tiny(Kind.FLOAT32), Kind.FLOAT32, split=split),
        base=base and artifact(base, split=split),
    )


def gathered(*comparisons):
    """The facts of comparisons, looked up by the rows that a report keeps of them."""
    lookup = in_memory(each for one in comparisons for each in one.sides.values())
    return gather(rows(comparisons), lookup)


def facts_of(one):
    [facts], gaps = gathered(one)
    assert not gaps
    return facts


def test_the_sheet_counts_what_the_measure_counts():
    one = comparison()
    sheet, counted = facts_of(one).sheet, flips(one.base, one.candidate)
    assert (sheet.role, sheet.n) == ("base", 2000)
    assert (sheet.broken, sheet.fixed) == (counted.broken, counted.fixed)
    assert sum(each.broken for each in sheet.classes) == sheet.broken


def test_every_sample_shown_is_one_that_flipped():
    one = comparison()
    before, after = predictions(one.base), predictions(one.candidate)
    for found in facts_of(one).sheet.classes:
        for flip in found.shown:
            assert before.right[flip.sample] == flip.broken
            assert after.right[flip.sample] != flip.broken
            assert one.candidate.evaluation.classes[LARGE.y[flip.sample]] == found.name
            assert flip.after.chosen == LARGE.classes[after.chosen[flip.sample]]


def test_the_sheet_says_what_the_worst_class_is_taken_for():
    sheet = facts_of(comparison()).sheet
    assert sheet.confused_with == "class 3"
    assert sheet.confused_count == sheet.classes[0].broken > 0
    assert sheet.classes[0].broken == max(each.broken for each in sheet.classes)


def test_the_worst_class_has_half_the_sheet_and_every_other_its_turn():
    sheet = facts_of(comparison()).sheet
    assert len(sheet.classes) == 3
    assert sheet.shown == sheets.MOST_SHOWN < sheet.broken
    assert [len(each.shown) for each in sheet.classes] == [20, 10, 10]


def test_a_change_that_only_fixes_shows_what_it_fixed():
    """The change the other way round fixes what it broke, and breaks nothing."""
    sheet = facts_of(comparison(GOOD, biased(10**6))).sheet
    assert sheet.broken == 0
    assert sheet.fixed > 0
    assert not any(flip.broken for each in sheet.classes for flip in each.shown)


def test_fixed_samples_are_shown_among_many_broken_ones():
    """Every fourth of a class, as long as there are any."""
    assert list(sheets.mixed([1, 2, 3, 4, 5], [6, 7, 8])) == [1, 2, 3, 6, 4, 5, 7, 8]


@pytest.mark.parametrize("room", [0, 1000])
def test_pictures_keep_to_their_bytes(room):
    one = comparison()
    sides = {role: predictions(each) for role, each in one.sides.items()}
    change = sheets.Change(role="base", before=sides["base"], after=sides["candidate"], split=LARGE)
    sheet = sheets.flip_sheet(change, room)
    pictures = [flip.picture.png for each in sheet.classes for flip in each.shown]
    assert sum(len(png) * 4 // 3 for png in pictures) <= room
    assert bool(pictures) == bool(room)
    assert sheet.broken > 0


@pytest.mark.parametrize("shape", [(28, 28, 1), (500,), (30,)], ids=["image", "wave", "numbers"])
def test_the_bytes_of_a_picture_are_estimated_well(shape):
    """Else the sheet of a model with rows of numbers would take many times its part of a page."""
    values = np.random.default_rng(0).normal(size=shape)
    drawn = picture(values, (-1.0, 1.0))
    empty = replace(drawn, **({"png": b""} if len(shape) > 1 else {"values": ()}))
    added = len(sample(drawn, "")) - len(sample(empty, ""))
    assert page_bytes(drawn) == pytest.approx(added, rel=0.2)


def test_an_unchanged_candidate_is_seen_against_its_reference():
    facts = facts_of(comparison(GOOD))
    assert facts.sheet.role == "reference"
    assert [side.role for side in facts.sides] == ["reference", "base", "candidate"]
    assert not facts.size_changes


def test_parts_add_up_to_the_file():
    parts = facts_of(comparison()).size_shares
    assert sum(part.bytes for part in parts) == len(biased(10**6))
    assert [part.bytes for part in parts] == sorted((p.bytes for p in parts), reverse=True)
    assert {"weight", "bias", "operators", "structure"} <= {part.kind for part in parts}


def test_growth_since_the_base_is_named():
    facts = facts_of(comparison(float_layer(GOOD, "conv")))
    assert facts.size_changes[0].bytes > 0
    assert "conv" in " ".join(part.name for part in facts.size_changes)


def test_float_operators_are_marked():
    facts = facts_of(comparison(float_layer(GOOD, "conv")))
    marked = [step.name for step in facts.operators if step.floating]
    assert "CONV_2D" in marked
    before, after = (side.floating for side in facts.sides[1:])
    assert after - before == len(marked) - before > 0


def test_the_layer_that_was_broken_is_the_first_to_diverge():
    """Its weights are in a random order; the layers after it get what it gives."""
    draw = np.random.default_rng(0)
    worse = revalue(GOOD, "depthwise/weight", lambda w: draw.permuted(w).astype(np.int8))
    layers = facts_of(comparison(worse)).layers
    kinds = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"]
    assert [one.operator for one in layers] == kinds
    assert [one.diverges for one in layers] == [False, True, False]
    assert layers[1].difference > 5 * layers[0].difference


def test_layers_without_a_difference_are_no_chart():
    one = comparison(tiny(Kind.FLOAT32), base=None)
    assert facts_of(one).layers == ()


def test_matrices_hold_every_sample():
    facts = facts_of(comparison())
    assert list(facts.confusions.counts) == ["reference", "base", "candidate"]
    for counts in facts.confusions.counts.values():
        assert sum(map(sum, counts)) == 2000


def test_many_classes_are_cut_to_those_with_mistakes():
    """A hundred names for four outputs would not fit the answers; so four hundred samples of 4."""
    names = tuple(f"c{number}" for number in range(20))
    from litegate.gate.evidence.confusion import MOST_SHOWN, confusions
    from litegate.gate.evidence.predictions import Predictions

    labels = np.arange(200) % 20
    chosen = np.where(labels == 7, 8, labels)
    outputs = predict(artifact(tiny(Kind.FLOAT32)))  # confusion does not look at them
    one = Predictions(labels=labels, chosen=chosen, right=chosen == labels, outputs=outputs)
    found = confusions({"candidate": one}, names)
    assert len(found.names) == MOST_SHOWN
    assert found.left_out == 20 - MOST_SHOWN
    assert {"c7", "c8"} <= set(found.names)


def test_shares_are_softmax_unless_they_are_shares_already():
    assert probabilities(np.float32([0.25, 0.75])).tolist() == pytest.approx([0.25, 0.75])
    assert probabilities(np.float32([0.0, np.log(3)])).tolist() == pytest.approx([0.25, 0.75])
    assert probabilities(np.float32([1000.0, -1000.0])).tolist() == [1.0, 0.0]


def test_what_chooses_no_class_says_so_and_shows_the_rest():
    """Three names for four outputs: no accuracy, but the file is still a file."""
    split = replace(LARGE, classes=LARGE.classes[:3])
    facts = facts_of(comparison(split=split))
    assert facts.sheet is None
    assert facts.confusions is None
    assert "answers cannot be shown" in facts.gaps[0]
    assert facts.size_shares
    assert facts.operators


def test_a_split_without_labels_says_so_and_shows_the_rest():
    facts = facts_of(comparison(split=replace(LARGE, y=None)))
    assert facts.sheet is None
    assert "answers cannot be shown" in facts.gaps[0]
    assert facts.size_shares


def test_a_file_that_is_no_model_says_so():
    facts = facts_of(comparison(b"not a model" * 100))
    assert facts.gaps
    assert not facts.size_shares


@pytest.fixture
def stored(tmp_path):
    """A store with the artifacts of comparisons, and the rows of a report about them."""
    store = Store(tmp_path / "store")

    def put(*comparisons):
        for one in comparisons:
            split = one.candidate.evaluation
            np.save(tmp_path / "x.npy", split.x)
            np.save(tmp_path / "y.npy", split.y)
            store.put(EVALUATIONS, split.digest, {n: tmp_path / n for n in ("x.npy", "y.npy")})
            for each in one.sides.values():
                history = [{"stage": "train", "epoch": 1, "accuracy": 0.5, "loss": None}]
                (tmp_path / "history.json").write_text(json.dumps(history))
                (tmp_path / "model.tflite").write_bytes(each.tflite)
                files = {n: tmp_path / n for n in ("model.tflite", "history.json")}
                store.put(BUILDS, hashlib.sha256(b"key" + each.tflite).hexdigest(), files)
        return store, json.loads(json.dumps(rows(comparisons)))

    return put


def test_the_store_gives_what_was_in_memory(stored):
    one = comparison()
    store, told = stored(one)
    [facts], gaps = gather(told, in_store(store, told["splits"]))
    assert not gaps
    assert facts.sheet == facts_of(one).sheet
    assert facts.sides[-1].epochs[0].scores == {"accuracy": 0.5}


def test_what_the_store_does_not_hold_is_a_gap(stored, tmp_path):
    _, told = stored(comparison())
    found, [gap] = gather(told, in_store(Store(tmp_path / "empty"), told["splits"]))
    assert not found
    assert gap.startswith("tiny/int8_qat cannot be shown")


def test_damage_in_the_store_is_a_gap(stored):
    store, told = stored(comparison())
    for path in store.root.glob("objects/*/*"):
        path.write_bytes(b"damage")
    with pytest.raises(StoreCorrupt):
        in_store(store, told["splits"])(told["comparisons"][0], "candidate")
    found, [gap] = gather(told, in_store(store, told["splits"]))
    assert not found
    assert "damaged" in gap


def test_samples_of_another_split_are_not_taken(stored):
    store, told = stored(comparison())
    told["comparisons"][0]["split"] = "0" * 64
    found, gaps = gather(told, in_store(store, told["splits"]))
    assert (found, len(gaps)) == ([], 1)


def test_ten_models_with_ten_thousand_samples_are_quick_and_small(stored):
    """From the store, with every answer yet to be given, and thousands of flips."""
    drawn = evaluation(10_000)
    noise = np.random.default_rng(1).random((10_000, 10, 10, 1), dtype=np.float32) * 0.02
    split = Evaluation(
        digest="1" * 64,
        x=np.clip(drawn.x + noise, 0, 1),  # noise is what PNG cannot make small
        y=drawn.y,
        classes=drawn.classes,
        domain=drawn.domain,
    )
    models = [comparison(split=split, model=f"tiny{number}") for number in range(10)]
    store, told = stored(*models)
    report = made_reports.report(
        *(
            made_reports.verdict(model=one.model, check=f"test_{number}")
            for one in models
            for number in range(30)
        ),
        recipes=[made_reports.recipe(one.model, f"r{n}") for one in models for n in range(5)],
    )
    started = time.process_time()
    found, gaps = gather(report | told, in_store(store, told["splits"]))
    html = page(report, found, gaps)
    assert time.process_time() - started < 5
    assert not gaps
    assert all(facts.sheet.shown for facts in found)
    assert len(html.encode()) < 1_000_000


def on_another_runtime(tflite, n=300):
    """A comparison whose candidate is answered by another file on the reference kernels."""
    one = comparison(GOOD, split=evaluation(n))
    return replace(one, candidate=replace(one.candidate, elsewhere=tflite))


def gathered_on(one, runtime="reference"):
    told = rows([one]) | {"runtimes": [made_reports.runtime(runtime, model="tiny")]}
    [facts], gaps = gather(told, in_memory(one.sides.values()))
    return facts, gaps


def test_samples_that_runtimes_decide_differently_are_counted_and_shown():
    one = on_another_runtime(biased(10**6))
    elsewhere = replace(one.candidate, runtime="reference")
    here, there = predictions(one.candidate), predictions(elsewhere)
    facts, gaps = gathered_on(one)
    (sheet,) = facts.runtime_sheets
    assert not gaps
    assert (sheet.runtime, sheet.n) == ("reference", 300)
    assert sheet.differing == (here.chosen != there.chosen).sum() > runtimes.MOST_SHOWN
    assert sheet.lost == (here.right & ~there.right).sum()
    assert sheet.won == (~here.right & there.right).sum()
    assert len(sheet.shown) == runtimes.MOST_SHOWN
    names = one.candidate.evaluation.classes
    for shown in sheet.shown:
        assert shown.default.chosen == names[here.chosen[shown.sample]] != shown.other.chosen
        assert shown.other.chosen == names[there.chosen[shown.sample]]
        assert shown.label == names[here.labels[shown.sample]]
    confidences = [shown.other.confidence for shown in sheet.shown if shown.default.chosen]
    assert confidences == sorted(confidences, reverse=True)


def test_answers_of_a_runtime_that_are_not_there_are_a_gap_and_nothing_is_run():
    one = on_another_runtime(biased(7), 301)  # samples that no other test runs it on
    facts, gaps = gathered_on(one)
    assert facts.runtime_sheets == ()
    assert facts.sheet is not None
    assert gaps == []
    assert any("the answers on reference are not in the store" in gap for gap in facts.gaps)
    assert not has_outputs(replace(one.candidate, runtime="reference"))


def test_pictures_of_a_runtime_s_sheet_keep_to_their_bytes(monkeypatch):
    monkeypatch.setattr(runtimes, "MOST_BYTES", 300)
    one = on_another_runtime(biased(10**6))
    predict(replace(one.candidate, runtime="reference"))
    (sheet,) = gathered_on(one)[0].runtime_sheets
    assert len(sheet.shown) < runtimes.MOST_SHOWN
    assert sum(len(shown.picture.png) * 4 // 3 for shown in sheet.shown) <= 300


def test_runtimes_that_a_report_makes_up_are_not_run():
    """The report may come from a stranger's pull request."""
    facts, gaps = gathered_on(on_another_runtime(GOOD), "../../bin/sh")
    assert facts.runtime_sheets == ()
    assert not gaps
