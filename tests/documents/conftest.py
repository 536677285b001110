"""What tests of documents ask for; see RESOURCES in tests/conftest.py."""

import pytest


@pytest.fixture(scope="session")
def heavy() -> None:
    """For a test that computes for long."""


@pytest.fixture(scope="session")
def processes() -> None:
    """For a test that starts processes, or a fixture that does."""
