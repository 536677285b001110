"""The REST API of xuntu as typed calls: `Client`, and `AsyncClient` for programs that are asynchronous."""

from api.client.asynchronous import AsyncClient
from api.client.calls import File, search_body
from api.client.retries import RetryPolicy
from api.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "File", "RetryPolicy", "search_body"]
