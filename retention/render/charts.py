"""Pictures of a report, drawn by pygal as SVG that stands inside of an HTML page.

Only shapes and texts of the drawing are kept: no script, no style and no address. The page's own style colours them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

from pygal import Bar, HorizontalBar, PluginImportFixer
from pygal.style import Style

from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

# For maps, pygal adds a finder of modules of a form that Python no longer has: each later import would warn of it.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, PluginImportFixer)]

WIDTH, HEIGHT, BAR_HEIGHT, MARGINS_HEIGHT = 480, 250, 26, 60
"""The size of a picture, in units of its own, each of which a wide screen shows as about one pixel."""

LONGEST_LABEL = 22
"""The most characters of a label in a picture. The table below the picture has the whole text."""

_TICKS = 4
_TAGS = frozenset({"g", "rect", "path", "text"})
_ATTRIBUTES = frozenset({"class", "d", "height", "transform", "width", "x", "y"})
_LEFT_OUT = frozenset({"tooltip", "tooltip-overlay"})
_FONT = 13
_STYLE = Style(font_family="system-ui", label_font_size=_FONT, major_label_font_size=_FONT, value_font_size=_FONT)


class Bars(NamedTuple):
    """A picture of counts: its id in the page, its title, and a label and a count for each bar.

    `sideways`: the bars lie, so that long labels have room.
    """

    id: str
    title: str
    labels: Sequence[str]
    counts: Sequence[int]
    sideways: bool = False


def draw_bars(bars: Bars) -> str:
    """Draw a picture as an svg element. Equal counts give equal text."""
    labels, counts = list(bars.labels), list(bars.counts)
    if bars.sideways:  # pygal draws the first bar at the bottom
        labels, counts = labels[::-1], counts[::-1]
    height = MARGINS_HEIGHT + BAR_HEIGHT * max(2, len(counts)) if bars.sideways else HEIGHT
    chart = (HorizontalBar if bars.sideways else Bar)(
        css=[],
        js=[],
        style=_STYLE,
        width=WIDTH,
        height=height,
        margin=12,
        margin_right=44 if bars.sideways else 12,
        show_legend=False,
        print_values=bars.sideways,
        print_values_position="top",
        show_x_labels=not bars.sideways,
        truncate_label=-1,
        value_formatter=lambda count: f"{count:,.0f}",
        no_prefix=True,
    )
    chart.x_labels = [_short(label) for label in labels]
    if not bars.sideways:
        chart.y_labels = _ticks(max(counts, default=0))
    chart.add("rounds", counts)
    drawing = chart.render_tree()
    svg = ET.Element(
        "svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "aria-labelledby": f"{bars.id}-t {bars.id}-d"}
    )
    ET.SubElement(svg, "title", {"id": f"{bars.id}-t"}).text = bars.title
    ET.SubElement(svg, "desc", {"id": f"{bars.id}-d"}).text = "A bar for each entry of the table below."
    _copy(drawing, svg)
    return ET.tostring(svg, encoding="unicode", method="html")


def _copy(source: ET.Element, target: ET.Element) -> None:
    """Copy the shapes and texts below an element."""
    for node in source:
        if node.tag not in _TAGS or _LEFT_OUT & set(node.get("class", "").split()):
            continue
        attributes = {name: value for name, value in node.attrib.items() if name in _ATTRIBUTES}
        made = ET.SubElement(target, node.tag, attributes)
        made.text = node.text if node.tag == "text" else None
        _copy(node, made)


def _short(label: str) -> str:
    text = printable(label)
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"


def _ticks(highest: int) -> list[int]:
    """Return round numbers from zero to at least `highest`."""
    step = 1
    while step * _TICKS < highest:
        step *= 10
    for part in (5, 2):
        if step % part == 0 and step // part * _TICKS >= highest:
            step //= part
            break
    return list(range(0, max(1, highest) + step, step))
