"""Reading a page strictly, as a browser would not: every fault is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "br", "hr", "img", "input", "link", "col", "wbr", "base", "source"})
"""Elements without an end tag."""


@dataclass
class Page(HTMLParser):
    """Elements, attributes and text of a page; ``faults`` where tags do not nest."""

    tags: set[str] = field(default_factory=set)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    text: str = ""
    stack: list[str] = field(default_factory=list)
    drawn: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> has an attribute twice")
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID and "svg" not in self.stack:
            self.faults.append(f"<{tag}/> is no end of an HTML element")
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.faults.append(f"</{tag}> ends what is not open")

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] == "style":
            return
        self.text += data
        if self.stack and self.stack[-1] == "text":
            self.drawn += data + "\n"

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment: {data[:40]}")


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    if page.stack:
        page.faults.append(f"never ended: {page.stack}")
    return page
