"""Write the model file of a project's own pictures, a folder for each class."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import final

from litegate.cli.own_arrays import NAMES, layers, model_file
from litegate.cli.ready_made import code, identifier, path_code
from litegate.core.errors import ConfigError
from litegate.core.escaping import listed

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""Endings of the files that `image_dataset_from_directory` of Keras reads."""
_LARGEST_SIDE = 96
"""Pixels of a side. Larger pictures are resized to a square of this side, as is common for
microcontrollers: the first network must train in minutes."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = struct.Struct(">8s 8x I I B B")
"""Signature, width, height, bit depth and colour type (PNG specification, section 11.2.1)."""
_GREY_TYPES = (0, 4)
"""PNG's colour types without colour: grey, and grey with transparency."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPictures:
    """A folder with pictures in `train/CLASS/` and `test/CLASS/`."""

    pictures: Path

    @property
    def name(self) -> str:
        """The model's name: the folder's."""
        return identifier(self.pictures.resolve().name)

    def model_file(self, project: Path, data: Path | None) -> str:
        """Return the text of a model file, whose digests `litegate digests --write` adds.

        `data` is the folder that is searched first for data sets. Raises ConfigError for a folder
        that is not sorted by class.
        """
        classes = self._classes()
        height, width, channels = _shape(_pictures(self.pictures / "train" / classes[0])[0])
        return model_file(
            title=f"Classify the pictures of {self.pictures.name}.",
            name=self.name,
            load=(
                f"CLASSES = ({', '.join(map(code, classes))})  # the names of the folders",
                "",
                "",
                "def load(locations):",
                "    import tensorflow as tf  # in the function: most runs build nothing",
                "",
                f"    folder = {self._path(project, data)}",
                "",
                "    def split(name):",
                "        batches = tf.keras.utils.image_dataset_from_directory(",
                '            f"{folder}/{name}",',
                "            class_names=CLASSES,",
                f"            image_size=({height}, {width}),  # others are resized to it",
                f'            color_mode="{"grayscale" if channels == 1 else "rgb"}",',
                "            shuffle=False,",
                "        )",
                "        x, y = zip(*batches.as_numpy_iterator(), strict=True)",
                "        return np.concatenate(x).astype(np.uint8), np.concatenate(y)",
                "",
                '    (x_train, y_train), (x_test, y_test) = split("train"), split("test")',
                f"    return lg.Splits({', '.join(f'{it}={it}' for it in NAMES)})",
            ),
            digests=["        digests={},"],
            domain="(0, 1)",
            classes="CLASSES,",
            layers=layers((height, width, channels), len(classes)),
            is_picture=True,
        )

    def _path(self, project: Path, data: Path | None) -> str:
        """Return the code of the folder's path."""
        if data and self.pictures.resolve().is_relative_to(data.resolve()):
            return f"locations.directory / {path_code(self.pictures, data)}"
        return path_code(self.pictures, project)

    def _classes(self) -> list[str]:
        """Return the names of the classes. Raises ConfigError if the splits have other ones."""
        train, test = (_folders(self.pictures / split) for split in ("train", "test"))
        if len(train) < 2 or train != test:
            raise ConfigError(
                f"{self.pictures} is not sorted by class",
                expected="pictures in train/CLASS/ and test/CLASS/, for at least two classes",
                got=f"train/: {listed(train) or 'none'}; test/: {listed(test) or 'none'}",
                remedy="sort them so, or write the model file by hand: docs/how-to/data.md",
            )
        return train


def _folders(split: Path) -> list[str]:
    """Return the names of the folders with pictures, sorted; none without the split."""
    folders = split.iterdir() if split.is_dir() else ()
    return sorted(it.name for it in folders if it.is_dir() and _pictures(it))


def _pictures(folder: Path) -> list[Path]:
    return sorted(it for it in folder.iterdir() if it.suffix.lower() in _SUFFIXES)


def _shape(picture: Path) -> tuple[int, int, int]:
    """Return height, width and channels for the network: a small PNG's own."""
    with picture.open("rb") as file:
        start = file.read(_PNG_HEADER.size)
    if len(start) < _PNG_HEADER.size or not start.startswith(_PNG):
        return _LARGEST_SIDE, _LARGEST_SIDE, 3
    _, width, height, _, colours = _PNG_HEADER.unpack(start)
    channels = 1 if colours in _GREY_TYPES else 3
    is_small = min(width, height) > 0 and max(width, height) <= _LARGEST_SIDE
    return (height, width, channels) if is_small else (_LARGEST_SIDE, _LARGEST_SIDE, channels)
