"""A strict look at HTML: what a browser would mend in silence is an error here."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Element", "Page"]

_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Element:
    """One element; `text` is all text inside."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    parents: tuple[str, ...] = ()


@dataclass
class Page(HTMLParser):
    """A document: elements in order. Tags that are not closed, or closed in a wrong order, are refused."""

    source: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.source)
        self.close()
        assert not self._open, f"<{self._open[-1].tag}> is not closed"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute of <{tag}> stands twice: {names}"
        element = Element(tag, dict(attrs), parents=tuple(one.tag for one in self._open))
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs), parents=tuple(one.tag for one in self._open)))
        assert tag in _VOID or "svg" in self.elements[-1].parents, f"<{tag}/> closes nothing in HTML"

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> where <{self._open[-1].tag}> is open"
        self._open.pop()

    def handle_data(self, data):
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        """Elements with one of these tags."""
        return [one for one in self.elements if one.tag in tags]

    def attribute(self, name: str) -> list[str]:
        """Values of an attribute, of all elements that have it."""
        return [one.attributes[name] or "" for one in self.elements if name in one.attributes]

    def links(self) -> list[str]:
        """Where its links lead."""
        return [one.attributes["href"] or "" for one in self.all("a") if "href" in one.attributes]
