"""Samples as pictures: what any PNG reader sees, lines, rows of numbers."""

import struct
import zlib

import numpy as np
import pytest

from litegate.gate.evidence.pictures import MOST_PIXELS, MOST_POINTS, picture, png
from litegate.report.html.page_data import Image, Numbers, Wave

UNIT = (0.0, 1.0)


def decoded(data):
    """The pixels of a PNG as our encoder writes it, every checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (crc,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert crc == zlib.crc32(name + body)
        chunks[name], at = body, at + 12 + size
    palette = chunks.get(b"PLTE", b"")
    assert list(chunks) == [b"IHDR", *([b"PLTE"] if palette else []), b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    channels = {0: 1, 2: 3, 3: 1}[colour]
    assert (colour == 3) is bool(palette)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_gives_the_pixels_back(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    assert np.array_equal(decoded(png(pixels)), pixels)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3), (28, 20, 3), (20, 28, 1)])
def test_two_dimensions_are_an_image_from_black_to_white(shape):
    found = picture(np.linspace(-2, 2, int(np.prod(shape))).reshape(shape), (-2.0, 2.0))
    assert not found.is_features
    assert found.note == f"{shape[0]} x {shape[1]} pixels"
    assert isinstance(found, Image)
    assert (found.height, found.width) == shape[:2]
    pixels = decoded(found.png)
    assert (pixels.flat[0], pixels.flat[-1]) == (0, 255)


def test_values_outside_the_domain_are_its_ends():
    found = picture(np.full((8, 8), 7.0), UNIT)
    assert (decoded(found.png) == 255).all()


@pytest.mark.parametrize("domain", [(0.0, 0.0), (-np.inf, np.inf), (np.nan, 1.0)])
def test_without_a_domain_the_sample_has_its_own(domain):
    found = picture(np.arange(64.0).reshape(8, 8), domain)
    assert (decoded(found.png).min(), decoded(found.png).max()) == (0, 255)


def test_a_large_image_is_averaged_down():
    board = np.indices((224, 160)).sum(axis=0) % 2
    found = picture(board.astype(float), UNIT)
    assert MOST_PIXELS / 2 < found.width * found.height <= MOST_PIXELS
    assert np.abs(decoded(found.png).astype(int) - 127).max() <= 26


def colours(found):
    """The colour of each pixel of a map of features, shape (height, width, 3)."""
    start = found.png.index(b"PLTE") + 4
    palette = np.frombuffer(found.png[start : start + 3 * 64], np.uint8).reshape(-1, 3)
    return palette[decoded(found.png)[:, :, 0]]


@pytest.mark.parametrize("shape", [(49, 10, 1), (49, 10), (49, 40, 1), (98, 40, 1), (10, 49, 1)])
def test_a_spectrogram_lies_whole_on_its_side_in_colours_of_its_own_range(shape):
    """The first feature is at the bottom, and the contrast does not depend on the domain."""
    time, features = max(shape[:2]), min(shape[:2])
    values = 0.01 * (np.arange(time)[:, None] + np.zeros(features))
    values[0, 0] = 3.0
    sample = (values if shape[0] == time else values.T).reshape(shape)
    found = picture(sample, (-200.0, 200.0))
    assert (found.is_features, found.width, found.height) == (True, time, features)
    assert found.note == f"{shape[0]} x {shape[1]} values from 0 to 3"
    pixels = colours(found)
    assert pixels[-1, 0].tolist() == [0xFD, 0xE7, 0x25]
    assert pixels[-1, 1].tolist() == pixels[0, 0].tolist() == [0x44, 0x01, 0x54]
    # Lightness grows with the value, as on gray paper.
    lightness = (pixels[0] @ [0.299, 0.587, 0.114]).astype(int)
    assert (np.diff(lightness) >= 0).all()


@pytest.mark.parametrize(
    ("shape", "domain", "features"),
    [
        ((40, 32, 1), UNIT, False),  # an upright photograph
        ((40, 32, 1), (-80.0, 0.0), True),
        ((32, 40, 1), (-80.0, 0.0), False),
        ((64, 32, 1), UNIT, False),
        ((65, 32, 1), UNIT, True),
        ((65, 32, 3), UNIT, False),
    ],
)
def test_an_upright_array_is_features_unless_it_is_shaped_like_a_photograph(
    shape, domain, features
):
    assert picture(np.zeros(shape), domain).is_features is features


def test_a_long_spectrogram_is_averaged_down_on_both_sides():
    found = picture(np.zeros((400, 40, 1)), UNIT)
    assert (found.width, found.height) == (200, 20)


def test_values_that_are_not_finite_are_drawn_as_the_lowest():
    sample = np.linspace(0, 1, 490).reshape(49, 10)
    sample[3, 3] = np.nan
    found = picture(sample, UNIT)
    assert colours(found)[6, 3].tolist() == [0x44, 0x01, 0x54]
    assert found.note == "49 x 10 values from 0 to 1"


def test_a_wide_strip_is_a_map_of_features():
    found = picture(np.zeros((4, 1000)), UNIT)
    assert (found.height, found.width, found.is_features) == (4, 1000, True)


def test_one_dimension_is_a_line_that_keeps_its_peak():
    wave = np.zeros(16_000)
    wave[7777] = 1.0
    found = picture(wave, (-1e6, 1e6))
    assert isinstance(found, Wave)
    assert found.note == "16,000 values from 0 to 1"
    assert len(found.values) == MOST_POINTS
    assert max(found.values) == 1.0


@pytest.mark.parametrize("shape", [(33, 1), (1, 33), (33,)])
def test_a_line_may_have_a_useless_dimension(shape):
    assert isinstance(picture(np.zeros(shape), UNIT), Wave)


def test_a_short_row_stays_numbers():
    found = picture(np.array([0.5, -3.25]), UNIT)
    assert found == Numbers(values=(0.5, -3.25), note="0.5, -3.25")
    assert isinstance(picture(np.zeros(32), UNIT), Numbers)


def test_what_has_no_picture_shows_its_first_numbers():
    found = picture(np.zeros((2, 3, 4, 5)), UNIT)
    assert isinstance(found, Numbers)
    assert len(found.values) == 32
    assert found.note.endswith(" and 88 more")
