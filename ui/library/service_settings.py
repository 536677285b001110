"""The settings of the service, read-only, and where each comes from."""

from __future__ import annotations

import streamlit as st

from api.client.errors import ApiError
from api.schemas import SettingInfo
from ui.library.visit import Visit, is_without_scope


def draw(visit: Visit) -> None:
    """Draw the section."""
    text = visit.text
    try:
        found = visit.client.settings().settings
    except ApiError as error:
        if is_without_scope(error):
            st.info(text.needs_admin)
        else:
            st.error(error.text(visit.lang))
        return
    st.write(text.settings_intro)
    changed = st.toggle(text.changed_only, key="changed")
    rows = [
        {
            text.setting: one.name,
            text.value: _value_of(visit, one),
            text.source: text.sources[one.source],
            text.description: one.description,
        }
        for one in found
        if not changed or one.source != "default"
    ]
    config = {text.description: st.column_config.TextColumn(text.description, width="large")}
    st.dataframe(rows, hide_index=True, column_config=config, height="content")


def _value_of(visit: Visit, setting: SettingInfo) -> str:
    if setting.is_secret:
        return visit.text.is_set if setting.is_set else ""
    return setting.value or ""
