"""Splits whose samples are sequences: declared, verified, streamed, stored."""

from dataclasses import replace

import numpy as np
import pytest

from litegate.build.store_arrays import stored_evaluation
from litegate.core.errors import DataError, StoreCorrupt
from litegate.core.units import ms
from litegate.data.digests import array_digests
from litegate.data.duplicates import sample_digests
from litegate.data.prepare import prepare, save_evaluation
from litegate.spec import Data, DataLocations, Detector, Frames, Sequences, Splits, Stream
from litegate.spec.artifact_keys import data_key

FRAMES = np.arange(20, dtype=np.float32).reshape(10, 2)
LENGTHS = np.array([3, 1, 4, 2])
BY_FRAME = np.array([0, 1, 1, 0, 0, 0, 1, 0, 0, 0])
BY_SEQUENCE = np.array([1, 0, 1, 0])


def same(x):
    return x


def declared(splits, **fields):
    known = {"sequences": Frames(period=ms(10)), "labels": True} | fields
    data = Data(name="words", load=lambda _: splits, preprocess=same, domain=(0, 20), **known)
    digests = {name: str(digest) for name, digest in array_digests(splits, {}).items()}
    return data if splits.test else replace(data, digests=digests)


def streamed(items, **fields):
    """Declare a stream with the digests of the same arrays."""
    splits = Splits(x_test=FRAMES, y_test=BY_FRAME, lengths=LENGTHS)
    data = declared(Splits(test=Stream(source=items, batched=True)), **fields)
    digests = {name: str(digest) for name, digest in array_digests(splits, {}).items()}
    return replace(data, digests=digests)


def items(labels=BY_FRAME):
    stops = np.cumsum(LENGTHS)
    return [
        (FRAMES[stop - length : stop], labels[stop - length : stop])
        for stop, length in zip(stops, LENGTHS, strict=True)
    ]


@pytest.mark.parametrize("labels", [BY_FRAME, BY_SEQUENCE])
def test_labels_belong_to_frames_or_to_sequences(labels, tmp_path):
    """Both kinds are stored, and come back as sequences over the frames."""
    data = declared(Splits(x_test=FRAMES, y_test=labels, lengths=LENGTHS))
    files = save_evaluation(prepare(data, DataLocations(), tmp_path), tmp_path)
    split = stored_evaluation(files, "key", data, is_training_known=False)
    assert isinstance(split.x, Sequences)
    assert split.sequences == data.sequences
    np.testing.assert_array_equal(split.x.lengths, LENGTHS)
    np.testing.assert_array_equal(split.y, labels)
    parts = [part for _, part in split.x[2:].parts(3)]
    np.testing.assert_array_equal(np.concatenate(parts), FRAMES[4:])
    assert [is_first for is_first, _ in split.x.parts(3)] == [True, True, True, False, True]


def test_stream_has_a_sequence_as_each_item(tmp_path):
    """A stream gives the same arrays and digests as arrays with lengths."""
    splits = prepare(streamed(items), DataLocations(), tmp_path)
    np.testing.assert_array_equal(splits.lengths, LENGTHS)
    np.testing.assert_array_equal(splits.x_test, FRAMES)
    np.testing.assert_array_equal(splits.y_test, BY_FRAME)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ([*items()[:2], (FRAMES[:0], BY_FRAME[:0])], "sequence 2 of words.test is empty"),
        ([items()[0], (FRAMES[3:4], 1)], "differ in type or shape"),
        ([(FRAMES[:3], BY_FRAME[:2])], r"one label, shape \(\), or 3, one for each frame"),
        ([(FRAMES[:3] * np.nan, BY_FRAME[:3])], "NaN or infinity"),
        ([], "has no samples"),
    ],
)
def test_broken_streams_are_named(broken, message, tmp_path):
    """An empty sequence, mixed labels, NaN and no sequence at all are errors of their own."""
    with pytest.raises(DataError, match=message):
        prepare(streamed(broken), DataLocations(), tmp_path)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3, 1, 4], "do not fit its frames"),
        ([3, 1, 4, 3], "do not fit its frames"),
        ([3, 0, 5, 2], "sequence 1 of words is empty"),
        ([3, 1, 8, -2], "sequence 3 of words is empty"),
        ([3.0, 1.0, 4.0, 2.0], "are not whole numbers"),
        ([[3, 1, 4, 2]], "are not whole numbers"),
    ],
)
def test_lengths_must_fit(lengths, message):
    """A truncated file of frames, and an empty sequence, are found before anything is run."""
    data = declared(Splits(x_test=FRAMES, y_test=BY_FRAME, lengths=np.array(lengths)))
    with pytest.raises(DataError, match=message):
        prepare(data, DataLocations())


def test_declaration_and_lengths_belong_together():
    """Lengths without lg.Frames, and the reverse, are refused."""
    with pytest.raises(DataError, match="not declared as they are loaded"):
        prepare(
            declared(Splits(x_test=FRAMES, y_test=BY_FRAME, lengths=LENGTHS), sequences=None),
            DataLocations(),
        )
    with pytest.raises(DataError, match="not declared as they are loaded"):
        prepare(declared(Splits(x_test=FRAMES, y_test=BY_FRAME)), DataLocations())


def test_slices_are_of_sequences():
    """A slice is a mask of the sequences, not of the frames."""
    night = {"night": np.array([True, False, False, True])}
    splits = Splits(x_test=FRAMES, y_test=BY_FRAME, lengths=LENGTHS, slices=night)
    assert list(prepare(declared(splits), DataLocations()).slices) == ["night"]
    wrong = replace(splits, slices={"night": BY_FRAME > 0})
    with pytest.raises(DataError, match="not a mask"):
        prepare(declared(wrong), DataLocations())


def test_key_contains_the_answer(tmp_path):
    """Another answer, detector or period is another data set; without sequences no key changes."""
    data = declared(Splits(x_test=FRAMES, y_test=BY_FRAME, lengths=LENGTHS))
    detector = Detector(threshold=0.5)
    declarations = [
        None,
        Frames(period=ms(10)),
        Frames(period=ms(20)),
        Frames(period=ms(10), answer="max"),
        Frames(period=ms(10), answer=detector),
        Frames(period=ms(10), answer=replace(detector, threshold=0.6)),
        Frames(period=ms(10), answer=same),
    ]
    keys = {data_key(replace(data, sequences=frames), tmp_path) for frames in declarations}
    assert len(keys) == len(declarations)


def test_equal_sequences_have_equal_digests():
    """A copy of a sequence is a copy, whatever the parts in which it is read."""
    stops = np.array([3, 6, 10])
    frames = np.concatenate([FRAMES[:3], FRAMES[:3], FRAMES[:4]])
    digests = sample_digests(Sequences(frames, stops - [3, 3, 4], stops))
    assert digests[0] == digests[1] != digests[2]


def test_store_with_other_lengths_is_damaged(tmp_path):
    """Lengths that do not fit the frames in the store are damage."""
    data = declared(Splits(x_test=FRAMES, y_test=BY_FRAME, lengths=LENGTHS))
    files = save_evaluation(prepare(data, DataLocations(), tmp_path), tmp_path)
    np.save(files["lengths.npy"], LENGTHS + 1)
    with pytest.raises(StoreCorrupt, match="does not fit its frames"):
        stored_evaluation(files, "key", data, is_training_known=False)
