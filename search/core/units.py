"""Write numbers the way people read them. What is not known (None, NaN, infinity) is a dash."""

import math

UNKNOWN = "–"  # noqa: RUF001  # an en dash is what tables of numbers use

_SUFFIXES = ("", "k", "M", "G", "T", "P")


def format_count(value: float | None) -> str:
    """Return three significant digits and an SI suffix: 999, 1.23k, 12.3k, 1.23M, 4.56G."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if abs(value) < 999.5:
        return f"{value:.3g}"
    power = min(int(math.log10(abs(value))) // 3, len(_SUFFIXES) - 1)
    if power + 1 < len(_SUFFIXES) and abs(value) / 1000**power >= 999.5:  # 999,600 is 1.00M, not 1000k
        power += 1
    scaled = value / 1000**power
    decimals = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
    return f"{scaled:.{decimals}f}{_SUFFIXES[power]}"


def format_bytes(count: float | None) -> str:
    """Return three significant digits and a unit of thousands: 999 B, 1.23 kB, 12.3 MB, 20 GB."""
    if count is None or not math.isfinite(count):
        return UNKNOWN
    text = format_count(count)
    number, suffix = (text[:-1], text[-1]) if text[-1] in "kMGTP" else (text, "")
    return f"{float(number):g} {suffix}B"


def format_number_of(noun: str, count: int) -> str:
    """Return how many there are of a thing: 1 trial, 2 trials, 2 launches, 2 studies."""
    if count == 1:
        return f"1 {noun}"
    stem, ending = (noun[:-1], "ies") if noun.endswith("y") else (noun, "es" if noun.endswith(("nch", "tch")) else "s")
    return f"{count:,} {stem}{ending}"


def format_percent(fraction: float | None) -> str:
    """Return a fraction as a percentage with two decimals: 98.61 %."""
    if fraction is None or not math.isfinite(fraction):
        return UNKNOWN
    return f"{100 * fraction:.2f} %"


def format_share(fraction: float, error: float) -> str:
    """Return a fraction with its error, in percent, both to the first digit of the error: 98.9 ± 0.5 %."""
    if not (math.isfinite(fraction) and math.isfinite(error)) or error <= 0:
        return format_percent(fraction)
    decimals = max(0, -int(f"{100 * error:.0e}".partition("e")[2]))
    return f"{100 * fraction:.{decimals}f} ± {100 * error:.{decimals}f} %"


def format_duration(seconds: float | None) -> str:
    """Return the two largest units of a time: 0.42 s, 12.3 s, 1 min 05 s, 2 h 05 min, 3 d 04 h."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if abs(seconds) < 59.95:
        return f"{seconds:.2f} s" if abs(seconds) < 0.995 else f"{seconds:.1f} s"
    sign, whole = "-" if seconds < 0 else "", round(abs(seconds))
    if whole < 3600:
        return f"{sign}{whole // 60} min {whole % 60:02d} s"
    minutes = round(whole / 60)
    if minutes < 48 * 60:
        return f"{sign}{minutes // 60} h {minutes % 60:02d} min"
    hours = round(whole / 3600)
    return f"{sign}{hours // 24} d {hours % 24:02d} h"


def value_text(value: object) -> str:
    """Return a parameter's value as a person writes it: 0.5, 2, none."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
