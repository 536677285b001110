"""The thumbnails of the page, kept for a while."""

from __future__ import annotations

import streamlit as st

from ui.pictures import PictureCache


@st.cache_resource(show_spinner=False, on_release=PictureCache.close)
def get_thumbnails() -> PictureCache:
    """Return the one cache of thumbnails of this page."""
    return PictureCache()
