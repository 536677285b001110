"""Catalogs of earlier formats: brought up to date in place, and every value keeps its meaning."""

import sqlite3

import pytest

from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.writer import Catalog


@pytest.fixture
def catalog_of_format_2(tmp_path):
    """Write a catalog of format 2 with what a script enters, and open it as a writer does."""
    opened = []

    def migrate(script: str) -> Catalog:
        path = tmp_path / "catalog.sqlite3"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript(f"{SCRIPTS[0]};{SCRIPTS[1]};PRAGMA user_version = 2;{script}")
        connection.close()
        opened.append(Catalog(path, create=True))
        return opened[-1]

    yield migrate
    for catalog in opened:
        catalog.close()


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ('INSERT INTO meta VALUES (\'encoder_order\', \'["c", "a", "b"]\')', ["c", "a", "b"]),
        ("INSERT INTO meta VALUES ('encoder_order', '[\"b\"]')", ["b", "a", "c"]),
        ("INSERT INTO meta VALUES ('encoder_order', '')", ["a", "b", "c"]),
        ("", ["a", "b", "c"]),
    ],
)
def test_the_order_of_encoders_is_taken_over(catalog_of_format_2, order, names):
    enter = "INSERT INTO encoders VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')"
    catalog = catalog_of_format_2(f"{enter};{order}")
    assert [encoder.name for encoder in catalog.list_encoders()] == names
    assert catalog.get_meta("encoder_order") == ""
