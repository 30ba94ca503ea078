"""docs/how-to/streaming.md: its block reads WAV files, which are gated to false accepts an hour."""

import runpy
import wave
from dataclasses import replace

import numpy as np
import pytest
from documents import PROJECT, blocks
from test_streaming_checks import detector

import litegate
from litegate.build.store_arrays import stored_evaluation
from litegate.data.prepare import current_digests, prepare, save_evaluation
from litegate.measures.metrics import metric_value
from litegate.spec import DataLocations
from litegate.testing import artifact

WAVES, *_ = blocks("python", pages=[PROJECT / "docs" / "how-to" / "streaming.md"])
RATE = 16_000


def record(file, seconds, tones, rate=RATE):
    """Write a mono WAV file of soft noise, with tones of 300 ms that begin at these seconds."""
    sound = np.random.default_rng(len(str(file))).uniform(-2, 2, round(seconds * rate))
    for start in tones:
        time = np.arange(round(0.3 * rate))
        sound[round(start * rate) :][: len(time)] += 16_000 * np.sin(0.4 * time)
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as recording:
        recording.setparams((1, 2, rate, 0, "NONE", ""))
        recording.writeframes(sound.astype("<i2").tobytes())


@pytest.fixture
def folder(tmp_path):
    """The two folders of the page: two files without the word, and three words, one too soft."""
    record(tmp_path / "audio" / "negative" / "hall.wav", 20, [])
    record(tmp_path / "audio" / "negative" / "kitchen.wav", 40, [10])
    for number, tones in enumerate(([0.5], [0.5], [])):
        record(tmp_path / "audio" / "positive" / f"{number}.wav", 1.5, tones)
    (tmp_path / "block.py").write_text(WAVES.text, "utf-8")
    return tmp_path


def test_wav_files_become_false_accepts_an_hour(folder):
    """A tone where nothing was said is one false accept, and a word that is too soft a reject."""
    declared = runpy.run_path(str(folder / "block.py"), init_globals={"lg": litegate})
    data, locations = declared["words"], DataLocations(project=folder)
    digests = current_digests(data, locations, folder / "once")
    data = replace(data, digests={name: str(digest) for name, digest in digests.items()})
    files = save_evaluation(prepare(data, locations, folder / "out"), folder / "out")
    split = stored_evaluation(files, "key", data, is_training_known=False)
    # A frame every 20 ms, the last of which ends with the file.
    lengths = [(round(seconds * RATE) - 512) // 320 + 1 for seconds in (20, 40, 1.5, 1.5, 1.5)]
    assert split.x.lengths.tolist() == lengths
    assert split.y.tolist() == [0, 0, 1, 1, 1]
    candidate = artifact(detector(0.05, features=40), split=split)
    accepts, rejects = (
        metric_value(candidate, metric) for metric in declared["wake_word"].budget.metrics
    )
    # Nothing can be detected in the first four frames of a window of five.
    assert accepts.value == pytest.approx(1 / ((sum(lengths[:2]) - 2 * 4) * 0.02 / 3600))
    assert (rejects.value, rejects.n) == (pytest.approx(1 / 3), 3)


def test_a_wav_file_of_another_rate_is_named(folder):
    """The block reads no file that the network was not trained for."""
    record(folder / "audio" / "positive" / "fast.wav", 1.5, [], rate=44_100)
    declared = runpy.run_path(str(folder / "block.py"), init_globals={"lg": litegate})
    with pytest.raises(ValueError, match=r"fast.wav is not mono with 16 bits and 16000 Hz"):
        prepare(declared["words"], DataLocations(project=folder), folder / "out")
