"""A drawing on the page: an image that carries its own data, its words for those who cannot see it, its caption."""

from urllib.parse import quote

from labwright.campaigns.report.canvas import Draw, draw_svg
from labwright.campaigns.report.html import Html, element

WIDE = 6.0
PLAIN = " /:;,.=()-+*!?@$|[]{}~"


def picture(draw: Draw, alt: str, caption: str, *, width: float, height: float) -> Html:
    """Return a figure; width and height in inches. As an image, nothing that stands in it can act on the page."""
    # Quoted, not base64: a quarter smaller.
    data = quote(draw_svg(width, height, draw), safe=PLAIN)
    image = element("img", src=f"data:image/svg+xml,{data}", alt=alt)
    return element("figure", image, element("figcaption", caption), class_="wide" if width > WIDE else "narrow")


def gallery(*figures: str) -> Html:
    """Return figures side by side, as many as fit."""
    return element("div", *figures, class_="gallery")
