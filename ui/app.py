"""The page as an application: what Streamlit serves, and before it the routes that the browser asks by itself.

Run it with `streamlit run ui/app.py`, which finds `app` here, or `uvicorn ui.app:app`.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from ui.config import read_settings
from ui.gateway.assets import load_assets
from ui.gateway.gateway import PageGateway
from ui.gateway.proxy import ServiceProxy
from ui.gateway.sites import HostNames

settings = read_settings()
service = ServiceProxy(settings)


def put_gateway_before(streamlit: ASGIApp) -> ASGIApp:
    """Return the page with its routes; called when Streamlit has read its own settings."""
    return PageGateway(
        streamlit,
        service=service,
        assets=load_assets(),
        hosts=HostNames(st.get_option("server.address") or "0.0.0.0", settings.host_names),  # noqa: S104 - as Streamlit does
        base=st.get_option("server.baseUrlPath"),
        origins=st.get_option("server.corsAllowedOrigins"),
    )


app = st.App(
    Path(__file__).with_name("script.py"), lifespan=service.lifespan, middleware=[Middleware(put_gateway_before)]
)
