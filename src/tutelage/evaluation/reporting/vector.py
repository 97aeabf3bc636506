"""SVG as a page of ours may hold it: no styles, scripts, addresses or ids of its own, and coloured by the page.

matplotlib writes styles into attributes, which the pages' content-security policy forbids, and refers to shapes by ids,
which several pictures on one page would share. So its drawing is read and written again, with the few things it needs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS: Mapping[str, str] = {
    "ink": "#010101",
    "soft": "#020202",
    "line": "#030303",
    "ours": "#040404",
    "other": "#050505",
    "worse": "#060606",
}
"""Colours that are only names: the page's style says what each is, in light and in dark."""
_NAMES = {colour: name for name, colour in COLOURS.items()}
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_SHAPES = frozenset(("svg", "g", "path", "text", "tspan", "line", "rect", "circle", "polyline"))
_KEPT = frozenset(("d", "transform", "x", "y", "width", "height", "viewBox"))
_STYLES = frozenset(("stroke-width", "text-anchor", "stroke-linecap", "stroke-linejoin", "stroke-dasharray", "opacity"))


def vector(figure: Figure, key: str, about: str) -> str:
    """The figure as an SVG element named by `about`, with nothing in it that acts.

    Args:
        key: of this picture on its page.
        about: what it shows, in words.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = io.BytesIO()
    figure.patch.set_visible(False)
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(written, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    found = ElementTree.fromstring(written.getvalue())
    shapes = {one.get("id", ""): one for one in found.iter() if one.get("id")}
    made = ElementTree.Element("svg", {"viewBox": found.get("viewBox", ""), "role": "img"})
    wide, high = found.get("viewBox", "0 0 0 0").split()[2:]
    made.set("width", f"{float(wide):.0f}")
    made.set("height", f"{float(high):.0f}")
    made.set("aria-labelledby", f"{key}-about")
    ElementTree.SubElement(made, "title", {"id": f"{key}-about"}).text = about
    for child in found:
        _copy(child, made, shapes)
    return ElementTree.tostring(made, encoding="unicode", short_empty_elements=False)


def _copy(one: ElementTree.Element, into: ElementTree.Element, shapes: Mapping[str, ElementTree.Element]) -> None:
    """Copy a shape and what is in it; a reference to a shape becomes that shape, moved to its place."""
    name = one.tag.removeprefix(_SVG)
    if name == "use":
        shape = shapes[one.get(f"{_XLINK}href", "#")[1:]]
        moved = ElementTree.SubElement(into, "path", _attributes(shape) | _attributes(one, ("style",)))
        moved.set("transform", f"translate({_short(one.get('x', '0'))} {_short(one.get('y', '0'))})")
        return
    if name not in _SHAPES:
        return
    attributes = _attributes(one)
    if name == "g" and not attributes:  # a group only to have a name
        copy = into
    else:
        copy = ElementTree.SubElement(into, name, attributes)
        copy.text = one.text if name in ("text", "tspan") else None
    for child in one:
        _copy(child, copy, shapes)


def _attributes(one: ElementTree.Element, kept: tuple[str, ...] = ()) -> dict[str, str]:
    """Those that shape it, with its style as attributes, and its colours as classes."""
    found = {} if kept else {name: value for name, value in one.attrib.items() if name in _KEPT}
    if "d" in found:
        found["d"] = " ".join(map(_short, found["d"].split()))
    styles = dict(part.split(":", 1) for part in one.get("style", "").split(";") if ":" in part)
    styles = {name.strip(): value.strip() for name, value in styles.items()}
    classes = []
    for name, letter in (("fill", "f"), ("stroke", "s")):
        value = styles.get(name, "")
        if value in _NAMES:
            classes.append(f"{letter}-{_NAMES[value]}")
        elif value == "none":
            found[name] = "none"
    if classes:
        found["class"] = " ".join(classes)
    return found | {name: value for name, value in styles.items() if name in _STYLES}


def _short(number: str) -> str:
    """A number to a hundredth of a pixel; a letter as it is."""
    try:
        return f"{float(number):.2f}".rstrip("0").rstrip(".")
    except ValueError:
        return number
