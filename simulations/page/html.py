"""Elements of the page. Texts and attributes are escaped by the library that writes them."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None
"""An element, a text, or nothing."""


def tag(name: str, *children: Child, **attributes: object) -> Element:
    """Return an element. `class_` is class, `data_x` is data-x; True is a flag, None and False are left out."""
    element = Element(name)
    for key, value in attributes.items():
        if value is not None and value is not False:
            element.set(key.rstrip("_").replace("_", "-"), "" if value is True else str(value))
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            element.append(child)
            last = child
        elif child and last is not None:
            last.tail = (last.tail or "") + child
        elif child:
            element.text = (element.text or "") + child
    return element


def table(headings: Sequence[Child], rows: Iterable[Sequence[Child]], caption: str = "") -> Element:
    """Return a table that scrolls by itself where it is too wide.

    The first cell of a row is its heading; the last one of a row that is too short spans what is left.
    """
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    body = [tag("tr", *_cells(row, len(headings))) for row in rows]
    content = tag("table", tag("thead", head), tag("tbody", *body), aria_label=caption or None)
    wide = tag("div", content, class_="wide", tabindex="0")
    # Above what scrolls, so that it is not cut where the table is wider than the screen.
    return tag("div", tag("p", caption, class_="caption"), wide) if caption else wide


def _cells(row: Sequence[Child], columns: int) -> list[Element]:
    first, *others = row
    cells = [tag("th", first, scope="row"), *(tag("td", other) for other in others)]
    if len(cells) < columns:
        cells[-1].set("colspan", str(columns - len(cells) + 1))
    return cells


def as_html(element: Element) -> str:
    """Return the text of an element."""
    return tostring(element, encoding="unicode", method="html")
