"""A service with several libraries: one is chosen on either page, stands in the address, and is remembered."""

import re

import pytest
from PIL import Image

from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=30_000)

TOURED = "try { localStorage.setItem('xuntu-toured', '1'); } catch {}"


@pytest.fixture(scope="module")
def api_url(page_library, serve, tmp_path_factory):
    """The address of a service of `page_library`, and of a library `pets` of two pictures."""
    folder = tmp_path_factory.mktemp("pets")
    (folder / "pictures").mkdir()
    for name in ("black", "white"):
        Image.new("RGB", (64, 48), name).save(folder / "pictures" / f"{name}.png")
    build(IndexerSettings(data=folder / "data", workers=0), [folder / "pictures"], BuildOptions(encoders=["hash"]))
    return serve(page_library, XUNTU_LIBRARIES__PETS=str(folder / "data"))


def test_a_library_is_chosen_on_either_page_and_remembered(browse, page_url):
    page = browse(width=390, locale="en-GB")
    page.add_init_script(TOURED)
    page.goto(page_url)
    chosen = page.get_by_role("combobox", name="Library")
    expect(chosen).to_have_value("default")
    chosen.select_option("pets")
    expect(page).to_have_url(re.compile(r"/\?library=pets$"))
    expect(page.locator(".tile")).to_have_count(2)
    for image in page.locator(".tile img").all():
        assert "/api/v1/libraries/pets/images/" in image.get_attribute("src")
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.get_by_test_id("stMetric").first).to_contain_text("2")
    expect(page).to_have_url(re.compile("library=pets"))
    page.goto(page_url)  # of which nothing is asked
    expect(page).to_have_url(re.compile(r"/\?library=pets$"))
    page.goto(f"{page_url}?q=coffee")  # a link of somebody who means the default one
    expect(chosen).to_have_value("default")
    page.goto(f"{page_url}library")
    expect(page).to_have_url(re.compile("library=pets"))
    chosen.select_option("default")
    expect(page.get_by_test_id("stMetric").first).not_to_contain_text(re.compile(r"\D2$"))
    page.goto(page_url)
    expect(page.locator(".tile").nth(3)).to_be_visible()
    assert "library" not in page.url
