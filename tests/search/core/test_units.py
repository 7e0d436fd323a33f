"""Numbers read the way people write them."""

import math

import pytest

from search.core.units import (
    UNKNOWN,
    format_bytes,
    format_count,
    format_duration,
    format_number_of,
    format_percent,
    format_share,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.5, "0.5"),
        (7, "7"),
        (999, "999"),
        (999.4, "999"),
        (999.6, "1.00k"),
        (1000, "1.00k"),
        (1234, "1.23k"),
        (9994, "9.99k"),
        (9996, "10.0k"),
        (12_345, "12.3k"),
        (34_500, "34.5k"),
        (99_960, "100k"),
        (999_499, "999k"),
        (999_600, "1.00M"),
        (1_234_567, "1.23M"),
        (4_560_000_000, "4.56G"),
        (2.5e12, "2.50T"),
        (1e19, "10000P"),
        (-34_500, "-34.5k"),
    ],
)
def test_a_count_has_three_digits_and_a_suffix(value: float, text: str) -> None:
    assert format_count(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1230, "1.23 kB"), (12_345_678, "12.3 MB"), (20e9, "20 GB"),
        (999_600, "1 MB"), (None, UNKNOWN), (math.inf, UNKNOWN),
    ],
)  # fmt: skip
def test_bytes_have_three_digits_and_a_unit(count: float | None, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("noun", "count", "text"),
    [("trial", 0, "0 trials"), ("trial", 1, "1 trial"), ("launch", 2, "2 launches"), ("trial", 1200, "1,200 trials")],
)
def test_a_noun_follows_its_number(noun: str, count: int, text: str) -> None:
    assert format_number_of(noun, count) == text


@pytest.mark.parametrize(
    ("fraction", "error", "text"),
    [
        (0.9889, 0.0049, "98.9 ± 0.5 %"),
        (0.9889, 0.00096, "98.9 ± 0.1 %"),
        (0.95, 0.000218, "95.00 ± 0.02 %"),
        (0.6, 0.023, "60 ± 2 %"),
        (0.5, 0.16, "50 ± 16 %"),
        (0.9889, math.nan, "98.89 %"),
        (0.9889, 0.0, "98.89 %"),
    ],
)
def test_a_share_has_as_many_digits_as_its_error_leaves(fraction: float, error: float, text: str) -> None:
    assert format_share(fraction, error) == text


@pytest.mark.parametrize(("fraction", "text"), [(0.9861, "98.61 %"), (1.0, "100.00 %"), (0.0, "0.00 %")])
def test_a_fraction_reads_as_a_percentage(fraction: float, text: str) -> None:
    assert format_percent(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (0.42, "0.42 s"),
        (0.999, "1.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (65, "1 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (47 * 3600, "47 h 00 min"),
        (76 * 3600, "3 d 04 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_a_time_shows_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("write", [format_count, format_percent, format_duration])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_known_is_a_dash(write, value) -> None:  # type: ignore[no-untyped-def]
    assert write(value) == UNKNOWN
