"""Draw the filters of a first convolution as small pictures, with the direction in which each changes."""

import base64
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboards import theme
from search.core.analyses import Analysis, Row
from search.core.findings import title

ACROSS, MORE = 8, 32  # filters in a row, and twice as many where there are more than so many
PITCH = 1.95  # of rows, in filters: below each stands its direction
SIDE = 0.84  # of a picture, in filters
DIAL = 0.26  # half of a direction's length
COLOURED = 3  # channels that are red, green and blue

Picture = NDArray[np.uint8]  # h w 4: red, green, blue, opacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Each filter's form, and its weights where they are known."""

    title: str
    rows: tuple[Row, ...]  # with weights `c k k`
    without: bool  # it was computed before weights were kept
    channels: int  # of the images


def info(analysis: Analysis) -> Filters:
    """Return the filters whose weights are in the rows."""
    channels = [row for row in analysis.rows if row["what"] == "channel"]
    known = tuple(row for row in channels if row.get("weight"))
    read = known[0].get("channels") if known else 0
    return Filters(title=title(analysis), rows=known, without=len(known) < len(channels), channels=int(read or 0))


def figure(filters: Filters) -> go.Figure:
    """Draw each filter with grey for no weight, its number, and its direction."""
    if not filters.rows or filters.without:
        why = "Weights are not in what was found: it was computed by an older version; --again adds them."
        return theme.message(filters.title, why)
    width = min(ACROSS if len(filters.rows) <= MORE else 2 * ACROSS, len(filters.rows))
    down = math.ceil(len(filters.rows) / width)
    drawn = theme.blank(filters.title, _subtitle(filters), height=round(60 + 80 * PITCH * down))
    for place, row in enumerate(filters.rows):
        left, top = place % width, -PITCH * (place // width)
        drawn.add_trace(_picture(row, left, top))
    drawn.add_trace(_dials(filters.rows, width))
    drawn.add_trace(_numbers(filters.rows, width))
    drawn.update_xaxes(visible=False, range=[-0.1, width + 0.1])
    ends = [-PITCH * down + 0.4, 0.45]
    return drawn.update_yaxes(visible=False, range=ends, scaleanchor="x").update_layout(showlegend=False)


def _subtitle(filters: Filters) -> str:
    read = {1: "bright is positive, dark negative", COLOURED: "red, green and blue are the image's channels"}
    told = read.get(filters.channels, f"the mean over {filters.channels} channels of the image")
    return f"each by its own largest weight, grey is 0; {told}; lines show the direction of change"


def _picture(row: Row, left: float, top: float) -> go.Image:
    side = len(row["weight"][0])
    step = SIDE / side
    # Plotly's `y0` is the middle of the first row, which lies on top as `dy` is negative.
    return go.Image(
        source=png(pixels(row["weight"])), x0=left + step / 2, dx=step, y0=top - step / 2, dy=-step, hoverinfo="skip"
    )


def pixels(weight: Sequence[Sequence[Sequence[float]]]) -> Picture:
    """Return a filter `c k k` as a picture: 0 is grey, and its largest weight white or black."""
    held = np.asarray(weight, dtype=float)
    most = float(np.abs(held).max()) or 1.0
    shades = np.clip(np.rint(127.5 + 127.5 * held / most), 0, 255).astype(np.uint8)
    colours = shades if len(shades) == COLOURED else np.repeat(shades[:1], COLOURED, axis=0)
    opaque = np.full((1, *held.shape[1:]), 255, dtype=np.uint8)
    return np.ascontiguousarray(np.concatenate([colours, opaque]).transpose(1, 2, 0))


def png(picture: Picture) -> str:
    """Return a picture as the address of a PNG that holds it (RFC 2083)."""
    height, width, _ = picture.shape
    lines = b"".join(b"\0" + picture[row].tobytes() for row in range(height))  # 0: no prediction
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits, 6: with opacity
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    told = b"\x89PNG\r\n\x1a\n" + b"".join(_part(kind, data) for kind, data in parts)
    return f"data:image/png;base64,{base64.b64encode(told).decode()}"


def _part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _dials(rows: Sequence[Row], width: int) -> go.Scatter:
    x, y = list[float | None](), list[float | None]()
    for place, row in enumerate(rows):
        for right, up in _dial(row):
            x.append(None if right is None else place % width + SIDE / 2 + right)
            y.append(None if up is None else -PITCH * (place // width) - SIDE - 0.35 + up)
    return go.Scatter(x=x, y=y, mode="lines", line={"color": theme.FRONT, "width": 2}, hoverinfo="skip")


def _dial(row: Row) -> Iterator[tuple[float | None, float | None]]:
    """Yield both ends of a direction and a gap; from rightwards it turns downwards."""
    if row["orientation_deg"] is None:
        return
    angle = math.radians(row["orientation_deg"])
    right, up = DIAL * math.cos(angle), -DIAL * math.sin(angle)
    yield from ((-right, -up), (right, up), (None, None))


def _numbers(rows: Sequence[Row], width: int) -> go.Scatter:
    return go.Scatter(
        x=[place % width + SIDE / 2 for place in range(len(rows))],
        y=[-PITCH * (place // width) + 0.18 for place in range(len(rows))],
        text=[str(row["channel"]) for row in rows], mode="text", textfont={"color": theme.QUIET, "size": 11},
        hovertext=[_said(row) for row in rows], hoverinfo="text",
    )  # fmt: skip


def _said(row: Row) -> str:
    if row["explained"] is None:
        return theme.hover((f"filter {row['channel']}", "no weight is above 0"))
    turned = "no direction" if row["orientation_deg"] is None else f"changes at {row['orientation_deg']:.0f}°"
    wave = f"{row['frequency']:.2f} cycles a pixel, explained {row['explained']:.0%}"
    return theme.hover((f"filter {row['channel']}", turned, wave))
