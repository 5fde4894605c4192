"""Vega-Lite to SVG that stands in a page: no script, nothing fetched, and readable by a screen reader."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from typing import Any, Final

from markupsafe import Markup

from rocmimg.terminal import harmless

HOW: Final = "pip install 'rocmimg[html]'"
_VERSION: Final = "6.4"
_OPEN: Final = re.compile(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)" viewBox="([^"]+)">')
_SAID: Final = re.compile(r'<path aria-label="([^"]*)"([^>]*?)/>')


def available() -> bool:
    """Whether there is what draws."""
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        return False
    return True


def draw(spec: Mapping[str, Any], title: str, description: str, name: str) -> Markup:
    """The picture with a title and a description; ``name`` is its id in the page.

    Where the library fails, the page says so in its place: hours of building are not lost for a picture.
    """
    try:
        picture = _drawn(json.dumps(_clean(spec)))
    except ValueError as error:
        return Markup('<p class="note">This picture could not be drawn: {}</p>').format(harmless(str(error)))
    found = _OPEN.match(picture)
    if found is None:
        raise ValueError("the chart library wrote no SVG")
    head = (
        f'<svg class="chart" role="img" aria-labelledby="{name}-t {name}-d" viewBox="{found[3]}" width="{found[1]}"'
        f' height="{found[2]}"><title id="{name}-t">{escape(harmless(title))}</title>'
        f'<desc id="{name}-d">{escape(harmless(description))}</desc>'
    )
    # The library escapes what it is given; what is added here is escaped above.
    return Markup(head + _SAID.sub(r"<path\2><title>\1</title></path>", picture[found.end() :]))  # noqa: S704


@lru_cache(maxsize=64)
def _drawn(spec: str) -> str:
    import vl_convert

    return vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[])


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, Mapping):
        return {key: _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list | tuple) else value
