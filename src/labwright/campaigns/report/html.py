"""HTML built from text that is always escaped."""

import html
import re

VOID = frozenset({"img", "meta"})
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Html(str):
    """Text that is HTML already; whatever is not gets escaped."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Return a text as HTML: nothing in it is markup, and what HTML cannot hold is shown as a replacement sign."""
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def printable(text: str) -> str:
    """Return a text with control characters replaced by a sign that can be seen."""
    return CONTROL.sub("\ufffd", text)


def element(tag: str, *children: str, **attributes: str) -> Html:
    """Return an element. `class_` is written `class`, `aria_label` is written `aria-label`."""
    named = "".join(f' {_attribute(name)}="{escaped(value)}"' for name, value in attributes.items())
    if tag in VOID:
        return Html(f"<{tag}{named}>")
    return Html(f"<{tag}{named}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """Return several pieces, one after the other."""
    return Html("".join(escaped(child) for child in children))


def section(name: str, title: str, *children: str) -> Html:
    """Return a section with a heading that can be linked to as `#name`."""
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")
