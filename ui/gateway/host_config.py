"""What Streamlit's own part in the browser asks whoever hosts it: whom it takes messages from, and what it may say.

It takes messages from the page itself and from nobody else (by default it would from the hosts of its makers), and
leaves it to the page to say that the connection is lost, in the language of the page.
"""

from typing import Final

from starlette.responses import JSONResponse

HOST_CONFIG: Final = "_stcore/host-config"


def answer_host_config(host: str) -> JSONResponse:
    """Return the answer to a page that is reached under `host`, which is a name that it has."""
    own = host.replace("[::1]", "[\\:\\:1]")  # these are patterns, in which a colon begins a name
    answer = {
        "allowedOrigins": [f"{scheme}://{own}" for scheme in ("http", "https")],
        "blockErrorDialogs": True,
        "enableCustomParentMessages": False,
        "enforceDownloadInNewTab": False,
        "metricsUrl": "",
        "resourceCrossOriginMode": None,
        "useExternalAuthToken": False,
    }
    return JSONResponse(answer, headers={"Cache-Control": "no-cache", "Vary": "Host"})
