"""Draws curves over a number of cameras as an SVG that reads on light and dark pages; measures nothing."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH_PX, HEIGHT_PX = 360, 240
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 44, 12, 34, 40
COLOURS: Final = ("#0f766e", "#c2410c", "#6d28d9", "#475569")
STEPS: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Panel:
    """One diagram.

    Attributes:
        curves: name → points (cameras, value), in the order of the cameras.
        aim: value that is aimed at; a dashed line.
    """

    title: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    aim: float | None = None


def ticks(most: float) -> list[float]:
    """Round values from 0 to beyond `most` > 0, four to six of them.

    >>> ticks(5.1), ticks(38)
    ([0.0, 2.0, 4.0, 6.0], [0.0, 10.0, 20.0, 30.0, 40.0])
    """
    scale = 10.0 ** len(str(int(most))) / 100
    step = next(scale * power * each for power in (1, 10, 100) for each in STEPS if scale * power * each * 5 >= most)
    count = int(-(-most // step))
    return [round(index * step, 6) for index in range(count + 1)]


def _panel(panel: Panel, at_x: float) -> str:
    points = [point for curve in panel.curves.values() for point in curve]
    right = max(x for x, _ in points)
    marks = ticks(max([y for _, y in points] + ([panel.aim] if panel.aim else [])))

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT_PX + (WIDTH_PX - LEFT_PX - RIGHT_PX) * x / right
        return at_x + across, HEIGHT_PX - BOTTOM_PX - (HEIGHT_PX - TOP_PX - BOTTOM_PX) * y / marks[-1]

    parts = [f'<text x="{at_x + LEFT_PX}" y="18" class="title">{escape(panel.title)}</text>']
    for mark in marks:
        x, y = place(0, mark)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{place(right, 0)[0]:.1f}" class="grid"/>')
        parts.append(f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for number in sorted({x for x, _ in points}):
        x, y = place(number, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{number:g}</text>')
    parts.append(f'<text x="{place(right / 2, 0)[0]:.1f}" y="{HEIGHT_PX - 6}" text-anchor="middle">cameras</text>')
    if panel.aim is not None:
        (x, y), (end, _) = place(0, panel.aim), place(right, panel.aim)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{end:.1f}" class="aim"/>')
        parts.append(f'<text x="{x + 4:.1f}" y="{y - 4:.1f}">aim {panel.aim:g}</text>')
    for index, (name, curve) in enumerate(panel.curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in curve))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (place(*point) for point in curve)
        )
        y = TOP_PX + 14 * index + 8
        parts.append(
            f'<text x="{place(right, 0)[0]:.1f}" y="{y}" text-anchor="end" style="fill:{colour}">{escape(name)}</text>'
        )
    return "\n".join(parts)


def svg(panels: Sequence[Panel], *, about: str) -> str:
    """Return the diagrams beside each other; `about` is read to who cannot see them.

    Args:
        panels: each with at least one point whose number of cameras is over 0.
    """
    width = WIDTH_PX * len(panels)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT_PX}" role="img">',
            f"<title>{escape(about)}</title>",
            "<style>text{font:12px sans-serif;fill:#64748b}.title{font-weight:600}",
            ".grid{stroke:#94a3b8;stroke-width:.5;opacity:.5}.aim{stroke:#64748b;stroke-dasharray:5 4}</style>",
            *(_panel(panel, WIDTH_PX * index) for index, panel in enumerate(panels)),
            "</svg>",
            "",
        ]
    )
