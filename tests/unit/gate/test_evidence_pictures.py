"""Samples as pictures: what any PNG reader sees, lines, rows of numbers."""

import struct
import zlib

import numpy as np
import pytest

from litegate.gate.evidence.flips import MOST_POINTS, MOST_SIDE, picture, png
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
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    channels = {0: 1, 2: 3}[colour]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_gives_the_pixels_back(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    assert np.array_equal(decoded(png(pixels)), pixels)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3), (28, 20, 3)])
def test_two_dimensions_are_an_image_from_black_to_white(shape):
    found = picture(np.linspace(-2, 2, int(np.prod(shape))).reshape(shape), (-2.0, 2.0))
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
    assert max(found.width, found.height) <= MOST_SIDE
    assert np.abs(decoded(found.png).astype(int) - 127).max() <= 26


def test_a_wide_strip_is_still_an_image():
    found = picture(np.zeros((4, 1000)), UNIT)
    assert (found.height, found.width) == (1, 47)


def test_one_dimension_is_a_line_that_keeps_its_peak():
    wave = np.zeros(16_000)
    wave[7777] = 1.0
    found = picture(wave, UNIT)
    assert isinstance(found, Wave)
    assert len(found.values) == MOST_POINTS
    assert max(found.values) == 1.0


@pytest.mark.parametrize("shape", [(30, 1), (1, 30), (30,)])
def test_a_line_may_have_a_useless_dimension(shape):
    assert isinstance(picture(np.zeros(shape), UNIT), Wave)


def test_a_short_row_stays_numbers():
    found = picture(np.array([0.5, -3.25]), UNIT)
    assert found == Numbers(values=(0.5, -3.25), left_out=0)


def test_what_has_no_picture_shows_its_first_numbers():
    found = picture(np.zeros((2, 3, 4, 5)), UNIT)
    assert isinstance(found, Numbers)
    assert len(found.values) + found.left_out == 120
