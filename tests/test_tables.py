"""The tables in C, each entry computed again with mpmath."""

import re
import struct
from pathlib import Path

import mpmath
import pytest

SOURCES = Path(__file__).parents[1] / "micrograd_fast"
NUMBER = re.compile(r"-?0x[\d.a-f]+p[+-]\d+")

pytestmark = pytest.mark.skipif(not SOURCES.exists(), reason="the C sources are not here")


@pytest.fixture(autouse=True)
def enough_bits():
    with mpmath.workprec(300):
        yield


def table(header, name):
    """The rows of a table as lists of floats."""
    text = (SOURCES / header).read_text()
    body = re.search(rf"\b{name}\[.*?= \{{\n(.*?)\n\}};", text, re.DOTALL)[1]
    return [[*map(float.fromhex, NUMBER.findall(line))] for line in body.splitlines()]


def pair(x, scale):
    """x as a number of whole 1 / scale, and the rest to the nearest double."""
    hi = mpmath.nint(x * scale) / scale
    return [float(hi), float(x - hi)]


def pair_of_doubles(x):
    hi = float(x)
    return [hi, float(x - hi)]


def moved(x, places):
    """The double so many places beyond x > 0."""
    (bits,) = struct.unpack("q", struct.pack("d", x))
    return struct.unpack("d", struct.pack("q", bits + places))[0]


def test_powers_of_2():
    powers = [mpmath.mpf(2) ** (mpmath.mpf(j) / 128) for j in range(128)]
    assert table("scalar_tables.h", "MG_POWERS_OF_2") == [pair(x, 2**26) for x in powers]


def logarithm(j):
    """An entry: c near 1 / m for the numbers m from 2**45 times j places beyond the first on."""
    first, end = (moved(1 - 151 / 512, n << 45) for n in (j, j + 1))
    c = mpmath.nint(512 * 2 / (mpmath.mpf(first) + end)) / 512
    for m in (first, moved(end, -1)):
        assert abs(c * m - 1) < 0.00477  # what the bound of the error takes it for
    return [float(c), *pair(-mpmath.log(c), 2**42)]


def test_logarithms():
    assert table("scalar_tables.h", "MG_LOGARITHMS") == [logarithm(j) for j in range(128)]


def series(n):
    """1 / n!, -1 / (n - 2)!, ..., of which the last three are pairs."""
    terms = [(-1) ** i / mpmath.factorial(m) for i, m in enumerate(range(n, 1, -2))]
    return [*map(float, terms[:-3]), *(x for term in terms[-3:] for x in pair_of_doubles(term))]


def test_series_of_sine_and_cosine():
    rows = table("wave_table.h", "MG_WAVE_TABLE")
    assert [x for row in rows for x in row] == series(21) + series(20)


def test_values_and_slopes_of_erf():
    expected = []
    for j in range(49):
        c = mpmath.mpf(j) / 8
        slope = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-c * c)
        expected.append(pair_of_doubles(mpmath.erf(c)) + pair_of_doubles(slope))
    assert table("erf_table.h", "MG_ERF_TABLE") == expected
