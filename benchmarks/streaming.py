"""Claim: gating takes no more memory for a larger evaluation set, which need not fit into it.

A pair of files for images of 64x64x3 is gated by the real command line, with labels, on a stream of
made images that stand nowhere before the run; the store's copy in a temporary folder goes with it.
Prints the peak of resident memory, all processes of the run together, for each size of the set.

    python benchmarks/streaming.py 0.1 1 10
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from streaming_pair import SAMPLE_BYTES, pair

PROJECT = Path(__file__).resolve().parent.parent
SIZES = (0.1, 1.0, 3.0)
"""Gigabytes; of the first, all is held in memory."""
MODEL = '''
"""A pair that is gated on a stream."""

import litegate as lg


def unit_scale(samples):
    return samples.astype("float32") / 255


def load(locations):
    from streaming_pair import batches

    return lg.Splits(test=lg.Stream(source=lambda: batches({count}), batched=True))


streamed = lg.prebuilt(
    reference="files/float32.tflite",
    candidate="files/int8.tflite",
    data=lg.Data(
        name="made",
        load=load,
        digests={digests!r},
        preprocess=unit_scale,
        domain=(0.0, 1.0),
        classes=tuple("abcdefghij"),
    ),
    budget=lg.Budget(
        accuracy=lg.percent(90),
        accuracy_drop=lg.points(5),
        agreement=lg.percent(90),
        output_error=lg.percent(5),
        runtime_agreement=lg.percent(90),
    ),
)
'''


def main() -> None:
    """Gate a set of each size, the last one after the others."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("gigabytes", type=float, nargs="*", default=SIZES, help="in float32")
    parser.add_argument("--folder", help="where a temporary folder is made, on a disk with room")
    asked = parser.parse_args()
    for gigabytes in asked.gigabytes:
        count = round(gigabytes * 1e9 / SAMPLE_BYTES)
        with TemporaryDirectory(dir=asked.folder, prefix="streaming-") as name:
            peak, seconds = _gated(Path(name), count)
        print(f"{gigabytes:g} GB, {count:,} samples: {peak / 1e6:.0f} MB at most, {seconds:.0f} s")


def _gated(folder: Path, count: int) -> tuple[int, float]:
    """The bytes of resident memory at the peak, and the seconds, of one gate from nothing."""
    _write(folder, count)
    argv = [sys.executable, "-m", "pytest", "checks/", "-q", "-p", "no:cacheprovider"]
    env = os.environ | {"LITEGATE_STORE": str(folder / "store"), "TMPDIR": str(folder)}
    env["PYTHONPATH"] = str(PROJECT / "benchmarks")
    env.pop("CI", None)
    began = time.monotonic()
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(0.02)
        log.seek(0)
        said = log.read()
    if process.returncode:
        raise SystemExit(said)
    print(next(line for line in said.splitlines() if line.startswith("litegate: ")))
    return peak, time.monotonic() - began


def _resident(pid: int) -> int:
    """Bytes that a process and all that it started hold in memory."""
    place = Path(f"/proc/{pid}")
    try:
        pages = int((place / "statm").read_text().split()[1])
        children = (place / "task" / str(pid) / "children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident(int(child)) for child in children)


def _write(folder: Path, count: int) -> None:
    """A project with its checks, its files and its model."""
    shutil.copytree(PROJECT / "checks", folder / "checks")
    for name in ("files", "models"):
        (folder / name).mkdir()
    for name, tflite in pair().items():
        (folder / "files" / f"{name}.tflite").write_bytes(tflite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    model = MODEL.format(count=count, digests=_digests(count))
    (folder / "models" / "streamed.py").write_text(model)


def _digests(count: int) -> dict[str, str]:
    from streaming_pair import batches

    from litegate.data.streams import ArrayDigest

    x, y = ArrayDigest(), ArrayDigest()
    for samples, labels in batches(count):
        x.add(samples)
        y.add(labels)
    return {"x_test": str(x), "y_test": str(y)}


if __name__ == "__main__":
    main()
