"""The page. Run it with `streamlit run ui/app.py`.

Each run reads the URL, asks the service, and hands three views to the browser. What the person does comes back
as a link, which becomes the URL of the next run: nothing is kept between runs but the pictures they gave.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import Any

import httpx
import streamlit as st

from api.client import Client, RetryPolicy, search_body
from api.client.errors import ApiError
from api.schemas import ClauseIn, Hit, ImageDetail, IndexInfo, SearchOptions, SearchResponse
from ui import components, words
from ui.address import PAGE_SIZE, Address, clauses, link, params, parse, parse_link, where
from ui.bar import bar_view, with_form
from ui.config import TIMEOUT_S, PageSettings, read_settings
from ui.detail import DetailPictures, detail_view, gone_view, part_shown
from ui.film import list_moments
from ui.library.page import library_page
from ui.pictures import (
    LARGE_SIZE,
    MAX_DOWNLOAD_BYTES,
    NO_PARTS,
    STRIP_SIZE,
    TILE_SIZE,
    PictureCache,
    Upload,
    data_uri,
    upload_name,
)
from ui.stage import (
    Found,
    empty_view,
    error_view,
    file_name,
    lost_view,
    nearest_view,
    nothing_view,
    parts_of,
    results_view,
    welcome_view,
)
from ui.strings import choose_lang, labels

log = logging.getLogger("ui.app")

SAMPLE_K = 18
SAMPLE_EACH = 4
SAMPLE_COLOURS = ("blue", "orange", "green", "red", "yellow", "pink", "cyan", "brown")
SIMILAR_K = 14
MAX_UPLOADS = 8
FRESH_S = 15
KEPT = "sha256-"  # so the id of a picture begins that the service keeps


@st.cache_resource(show_spinner=False, on_release=Client.close)
def get_client(_settings: PageSettings, url: str) -> Client:
    """Return the one client of this process."""
    return Client(
        url,
        _settings.token.get_secret_value(),
        timeout_s=TIMEOUT_S,
        retry=RetryPolicy(retries=1),
        http=httpx.Client(
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            trust_env=False,  # the service is a neighbour: never behind a proxy
        ),
    )


@st.cache_resource(show_spinner=False, on_release=PictureCache.close)
def get_pictures() -> PictureCache:
    """Return the one cache of thumbnails of this process."""
    return PictureCache()


@st.cache_data(ttl=FRESH_S, max_entries=128, show_spinner=False)
def search(_client: Client, url: str, body: str, lang: str) -> SearchResponse:  # noqa: ARG001
    """Hits of a request as JSON, remembered for a few seconds so that opening a picture does not search again."""
    request = json.loads(body)
    asked = [ClauseIn.model_validate(clause) for clause in request.pop("clauses")]
    return _client.with_language(lang).search(*asked, **request)


@st.cache_data(ttl=FRESH_S, max_entries=128, show_spinner=False)
def similar(_client: Client, url: str, image_id: int, lang: str) -> SearchResponse:  # noqa: ARG001
    """Return the nearest of one picture, remembered for a few seconds."""
    return _client.with_language(lang).similar(image_id, k=SIMILAR_K)


@st.cache_data(ttl=FRESH_S, max_entries=256, show_spinner=False)
def image(_client: Client, url: str, image_id: int, lang: str) -> ImageDetail:  # noqa: ARG001
    """Return what is known of one picture, remembered for a few seconds."""
    return _client.with_language(lang).image(image_id)


def get_uploads() -> dict[str, Upload]:
    """Return the pictures that the person gave in this session, by name; the newest last."""
    uploads: dict[str, Upload] = st.session_state.setdefault("uploads", {})
    return uploads


def read_address() -> Address:
    """Return the address in the browser."""
    return parse({name: st.query_params.get_all(name) for name in st.query_params})


def go(address: Address) -> None:
    """Make an address the browser's."""
    st.query_params.from_dict(params(address))


def on_link(part: str) -> None:
    """Follow a link that was clicked in a part of the page."""
    target = components.sent(part, "go")
    if isinstance(target, str):
        go(parse_link(target))


def on_form() -> None:
    """Take the text that was typed, or a filter that was written."""
    sent = components.sent("bar", "form")
    if isinstance(sent, Mapping):
        form = {str(name): str(value) for name, value in sent.items()}
        go(with_form(form.pop("here", link(read_address())), form))


def on_upload() -> None:
    """Keep a picture that was dropped, pasted or chosen, and search with it in place of the one before."""
    sent = components.sent("bar", "upload")
    if not isinstance(sent, Mapping) or not isinstance(sent.get("data"), str):
        return
    data = sent["data"]
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return
    uploads = get_uploads()
    name = upload_name(data)
    preview = str(sent.get("preview") or "")
    uploads[name] = Upload(str(sent.get("name") or ""), data, preview if preview.startswith("data:image/") else "")
    while len(uploads) > MAX_UPLOADS:
        del uploads[next(iter(uploads))]
    go(read_address().but(uploads=(name,), like=(), less=()))


def on_download() -> None:
    """Remember which original to send with the next view."""
    st.session_state["download"] = components.sent("detail", "download")


def on_play() -> None:
    """Remember which video to send with the next view."""
    st.session_state["play"] = components.sent("detail", "play")


class Page:
    """One run of the page: an address, its language, and what the service says of them."""

    def __init__(self, client: Client, pictures: PictureCache) -> None:
        self.client = client
        self.pictures = pictures
        self.address = read_address()
        self.lang = choose_lang(self.address.lang, st.context.locale)
        self.uploads = {**get_uploads(), **self._kept_uploads()}
        self.info: IndexInfo | None = None
        self.problem: ApiError | None = None
        self.found: Found | None = None

    def _kept_uploads(self) -> dict[str, Upload]:
        """Return those pictures of the address that the service keeps, and this session does not have."""
        found = {}
        for name in self.address.uploads:
            if name.startswith(KEPT) and name not in get_uploads():
                try:
                    found[name] = Upload("", "", data_uri(self.client.upload_thumbnail(name), "image/webp"))
                except ApiError as error:
                    log.info("the picture of the address is not there: %s", error)  # the page says so
        return found

    def draw(self) -> None:
        """Ask the service and show the three parts, the top first."""
        text = labels(self.lang)
        wanted = self.address.text
        title = f"{wanted[:60]} · {text.title}" if wanted else f"{text.title} {text.subtitle}"
        st.set_page_config(page_title=title, page_icon=str(components.PARTS / "seal.svg"), layout="wide")
        components.page_style()
        try:
            self.info = self.client.with_language(self.lang).index()
        except ApiError as error:
            self.problem = error
        if st.session_state.get("drawn"):
            view = self._stage()  # until it is known, what was there before stands
            self._draw_bar()
            components.stage(view, on_go=partial(on_link, "stage"))
        else:
            self._draw_first()
        # The number changes with every run, which tells the browser that one is over.
        run = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        components.detail(
            {**self._detail(), "run": run},
            on_go=partial(on_link, "detail"),
            on_download=on_download,
            on_play=on_play,
        )

    def _draw_first(self) -> None:
        """Show the top, and grey tiles until the middle is known; start again if the top then has more to say."""
        st.session_state["drawn"] = True
        self._draw_bar()
        slot = st.empty()
        with slot:
            components.skeleton()
        view = self._stage()
        if self.found and any(one.negation or len(one.spans) > 1 for one in self.found.answer.clauses):
            st.rerun()
        with slot:
            components.stage(view, on_go=partial(on_link, "stage"))

    def _draw_bar(self) -> None:
        parts = [one.image_id for one in self.address.crops]
        asked = (*self.address.like, *self.address.less, *parts)
        view = bar_view(
            self.address,
            lang=self.lang,
            info=self.info,
            uploads=self.uploads,
            previews=self._thumbnails(asked, parts=dict.fromkeys(parts, 0)) if self.info else {},
            details=self._details(asked) if self.info else {},
            read=self.found.answer.clauses if self.found else (),
        )
        components.bar(view, on_go=partial(on_link, "bar"), on_form=on_form, on_upload=on_upload)

    def _details(self, ids: tuple[int, ...]) -> dict[int, ImageDetail]:
        details = {}
        for image_id in ids:
            try:
                details[image_id] = image(self.client, self.client.url, image_id, self.lang)
            except ApiError as error:
                log.info("nothing is known of picture %d: %s", image_id, error)  # its chip shows the number
        return details

    def _stage(self) -> dict[str, Any]:
        if self.problem and self.problem.code == "no_index":
            return empty_view(lang=self.lang, sentence=self.problem.text(self.lang))
        if self.problem:
            return error_view(self.problem, self.address, lang=self.lang)
        if self.info and not self.info.pictures:
            return empty_view(lang=self.lang)
        try:
            return self._answer()
        except ApiError as error:
            return error_view(error, self.address, lang=self.lang)

    def _answer(self) -> dict[str, Any]:
        if not self.address.asks:
            sample = self._sample()
            return welcome_view(
                self.address,
                lang=self.lang,
                sample=sample,
                thumbnails=self._thumbnails([h.id for h in sample], parts=parts_of(sample)),
            )
        asked = [
            clause.model_dump(exclude_none=True)
            for clause in clauses(self.address, {name: one.data for name, one in self.uploads.items()})
        ]
        if not asked:
            return lost_view(self.address, lang=self.lang)
        self.found = self._find(asked)
        if not self.found.shown:
            notes = [note.message for note in self.found.answer.notes]
            return nothing_view(self.address, lang=self.lang, notes=notes)
        thumbnails = self._thumbnails([hit.id for hit in self.found.shown], parts=parts_of(self.found.shown))
        view = results_view if self.found.hits else nearest_view
        return view(self.found, self.address, lang=self.lang, thumbnails=thumbnails)

    def _find(self, asked: list[dict[str, Any]]) -> Found:
        """Return the page of hits with one more on either side, so that left and right can leave the page."""
        first = (self.address.page - 1) * PAGE_SIZE
        lead = 1 if first else 0
        conditions = where(self.address.filters)
        match = self.address.looks_at
        least = self.address.min_relevance if match in ("auto", "vector") else None
        options = replace(self.address, match=match, min_relevance=least, k=PAGE_SIZE + lead + 1, offset=first - lead)
        answer = self._search(asked, conditions, options)
        hits = answer.hits[lead : lead + PAGE_SIZE]
        fused = match in ("text", "both") or any(hit.reasons for hit in answer.hits)
        if fused or len(answer.encoders) > 1:  # the first need not be the nearest
            best = sorted(hits, key=lambda hit: -hit.score)
        elif first:
            best = self._search(asked, conditions, self._plain(1)).hits
        else:
            best = answer.hits or answer.nearest
        return Found(
            answer=answer,
            hits=hits,
            before=answer.hits[0] if lead and answer.hits else None,
            after=answer.hits[lead + PAGE_SIZE] if len(answer.hits) > lead + PAGE_SIZE else None,
            best=best[0].score if best else 0.0,
        )

    def _plain(self, k: int) -> SearchOptions:
        """Return the options of the address for the first `k`, by what they show and of any relevance."""
        return replace(self.address, match="vector", min_relevance=None, k=k)

    def _search(
        self, asked: Sequence[Mapping[str, Any]], conditions: Mapping[str, Any] | None, options: SearchOptions
    ) -> SearchResponse:
        body = search_body(asked, conditions, options)
        return search(self.client, self.client.url, json.dumps(body, ensure_ascii=False), self.lang)

    def _sample(self) -> list[Hit]:
        """Return a few pictures of as many colours as the library has; any pictures where it has too few."""
        asked = [{"text": labels(self.lang).sample_query}]
        try:
            few = self._plain(SAMPLE_EACH)
            rows = [self._search(asked, {"colours": [one]}, few).hits for one in SAMPLE_COLOURS]
            mixed = {hit.id: hit for turn in zip_longest(*rows) for hit in turn if hit}
            if len(mixed) < SAMPLE_K // 2:
                mixed.update({hit.id: hit for hit in self._search(asked, None, self._plain(SAMPLE_K)).hits})
        except ApiError as error:
            log.info("no sample: %s", error)  # the welcome is whole without it
            return []
        return list(mixed.values())[:SAMPLE_K]

    def _thumbnails(
        self, ids: list[int] | tuple[int, ...], *, size: int = TILE_SIZE, parts: Mapping[int, int] = NO_PARTS
    ) -> dict[int, str]:
        build = self.info.build if self.info else ""
        return self.pictures.fetch(self.client, ids, size=size, build=build, parts=parts)

    def _detail(self) -> dict[str, Any]:
        image_id = self.address.detail
        asked_for, played = st.session_state.pop("download", None), st.session_state.pop("play", None)
        if image_id is None or self.info is None:
            return {}
        try:
            detail = image(self.client, self.client.url, image_id, self.lang)
            near = similar(self.client, self.client.url, image_id, self.lang).hits
        except ApiError as error:
            return gone_view(error, self.address, lang=self.lang)
        number = part_shown(detail, self.address, self.found)
        is_video = detail.kind == "video"
        shown = {} if number is None else {image_id: number}
        all_of_it = {image_id: 0} if shown and not is_video else {}
        moments = [part.number for part in list_moments(detail, number)] if is_video else []
        build = self.info.build
        view = detail_view(
            detail,
            self.address,
            lang=self.lang,
            timezone=st.context.timezone,
            pictures=DetailPictures(
                self._thumbnails([image_id], size=LARGE_SIZE, parts=shown).get(image_id),
                self._thumbnails([image_id], size=LARGE_SIZE, parts=all_of_it).get(image_id) if all_of_it else None,
                self.pictures.fetch_parts(self.client, image_id, moments, size=STRIP_SIZE, build=build),
                self._thumbnails([hit.id for hit in near], size=STRIP_SIZE, parts=parts_of(near)),
            ),
            found=self.found,
            similar=near,
        )
        return {
            **view,
            "download": self._download(detail) if asked_for == image_id else None,
            "played": self._download(detail, clip=detail.clip) if played == image_id else None,
        }

    def _download(self, detail: ImageDetail, *, clip: bool = False) -> dict[str, str]:
        """Return the original as a data: URI, or the sentence that says why not."""
        if detail.bytes > MAX_DOWNLOAD_BYTES:
            size = words.file_size(detail.bytes)
            return {"error": labels(self.lang).download_too_large.format(size=size)}
        try:
            original = self.client.with_language(self.lang).original(detail.id, clip=clip)
        except ApiError as error:
            return {"error": error.text(self.lang)}
        return {"name": file_name(detail.path), "src": data_uri(original.content, original.media_type)}


def search_page() -> None:
    """Draw the page for the address in the browser."""
    settings = read_settings()
    Page(get_client(settings, settings.api_url), get_pictures()).draw()


def main() -> None:
    """Draw the page that the path in the browser names."""
    pages = [st.Page(search_page, url_path="search", default=True), st.Page(library_page, url_path="library")]
    st.navigation(pages, position="hidden").run()


if __name__ == "__main__":
    main()
