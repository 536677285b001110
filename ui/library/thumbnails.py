"""Where the browser gets the small pictures of the page, and where it opens one: on its own origin."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urljoin

import streamlit as st

from ui.library.visit import Visit
from ui.mount import page_base


def thumbnail_address(visit: Visit, image_id: int, *, size: int) -> str:
    """Return the address of a picture as it is in this build, within a square of `size` pixels."""
    library = f"libraries/{quote(visit.client.library)}/" if visit.client.library else ""
    asked = urlencode({"size": size, "v": visit.info.build if visit.info else ""})
    path = f"{page_base()}api/v1/{library}images/{image_id}/thumbnail?{asked}"
    return urljoin(st.context.url or "http://localhost/", path)


def picture_address(visit: Visit, image_id: int) -> str:
    """Return the address at which the search page opens a picture."""
    library = {"library": visit.client.library} if visit.client.library else {}
    path = f"{page_base()}?{urlencode({**library, 'lang': visit.lang, 'id': image_id})}"
    return urljoin(st.context.url or "http://localhost/", path)
