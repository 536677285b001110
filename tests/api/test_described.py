"""The description of the API is true: what it lets be asked is answered as it says, whatever the values are."""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

EXAMPLES = int(os.environ.get("XUNTU_TEST_EXAMPLES", "20"))  # of each operation


@pytest.fixture(scope="module")
def described(depth, servers, tmp_path_factory, serve_app):
    schemathesis = pytest.importorskip("schemathesis")
    folder = tmp_path_factory.mktemp("described")
    (folder / "pictures").mkdir()
    for number in range(5):
        Image.new("RGB", (40, 30), (number * 20, 90, 200)).save(folder / "pictures" / f"{number}.png")
    build(IndexerSettings(data=folder / "data", workers=0), [folder / "pictures"], BuildOptions(encoders=["hash"]))
    app = create_app(Settings(data=folder / "data", api={"preload_image": False}))
    return schemathesis.openapi.from_url(f"{serve_app(app)}/openapi.json")


def test_everything_that_is_described_is_answered_as_described(described):
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 10
    failed = []
    for operation in operations:

        @seed(1)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case):
            case.call_and_validate(checks=checks)

        try:
            ask()
        except (AssertionError, BaseExceptionGroup) as error:  # all are to be told
            failed.append(f"{operation.label}: {error!r} {getattr(error, 'exceptions', '')}"[:900])
    assert not failed, "\n".join(failed)
