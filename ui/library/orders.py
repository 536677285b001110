"""Work is asked for."""

from __future__ import annotations

from typing import Any

import streamlit as st

from api.client.errors import ApiError
from api.schemas import JobKind
from ui.library import formats
from ui.library.visit import Visit


def ask_for(visit: Visit, kind: JobKind, **options: Any) -> None:
    """Ask for a job, and say that it was asked for, or why it is not done."""
    try:
        job = visit.client.submit(kind, **options)
    except ApiError as error:
        st.toast(formats.plain(error.text(visit.lang)))
        return
    st.toast(visit.text.asked.format(what=visit.text.work[job.kind]))
