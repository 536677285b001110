"""Captions by a server that speaks OpenAI's protocol: vLLM, Ollama, llama.cpp, a cloud.

What passes (too many requests, no answer in time, no connection) is tried again a few times, and then the picture is
left for another time; after several in a row the run ends. What asking again does not mend ends it at once.
"""

import asyncio
import base64
import io
import ipaddress
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from PIL import Image

from indexer.annotators.caption.captions import (
    SIDE,
    Captions,
    is_whole,
    make_prompt,
    make_schema,
    merge,
    read_answer,
)
from indexer.annotators.errors import CaptionsInterrupted, CaptionsRefused
from indexer.config import CaptionSettings
from indexer.library.annotations.port import IndexedPictures
from indexer.library.annotations.values import Failure
from models.captioners.spec import CaptionLanguage
from models.foundation.errors import BackendNotInstalled

logger = logging.getLogger(__name__)

_QUALITY = 85
_RETRIES = 4  # of what passes; the client waits as long as a server asks for
_MOST_IN_A_ROW = 5  # failures, before the rest is left for another time
_MOST_SAID = 300  # characters of what a server says
_NO_KEY = "none"  # the client takes no empty one, and servers without keys take any
_FINAL = (401, 402, 403, 404, 405)


@dataclass(frozen=True, slots=True)
class _Passing:
    """A failure that may have passed another time; what was said."""

    said: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A failure that is everybody's, whatever the picture; what was said."""

    said: str


_Outcome: TypeAlias = Captions | Failure | _Passing | _Refusal | None


def is_on_this_machine(url: str) -> bool:
    """Say whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class CaptionServer:
    """Asks a server for captions, of several pictures at a time."""

    def __init__(self, settings: CaptionSettings) -> None:
        try:
            import openai
        except ImportError as error:
            raise BackendNotInstalled("openai", "caption") from error
        self._openai = openai
        self.name = settings.model
        self.languages: tuple[CaptionLanguage, ...] = settings.in_languages
        self._settings = settings
        self._key = settings.key.get_secret_value().strip() if settings.key else ""
        self._takes_schema = True
        self._in_a_row = 0
        self._has_answered = False

    def caption(self, pictures: IndexedPictures) -> Iterator[tuple[int, Captions | Failure]]:
        """Yield rows and what the server says of each. Raises CaptionsRefused or CaptionsInterrupted."""
        waiting = iter(range(len(pictures)))
        running: dict[asyncio.Task[_Outcome], int] = {}
        doubtful: list[tuple[int, Failure]] = []  # until one picture has gone well it may be all that fail
        with asyncio.Runner() as runner:
            client = self._open_client()
            try:
                while True:
                    for row in waiting:
                        running[runner.get_loop().create_task(self._ask(client, pictures, row))] = row
                        if len(running) >= self._settings.concurrency:
                            break
                    if not running:
                        break
                    done = [(running.pop(task), task.result()) for task in runner.run(_first_of(running))]
                    for row, outcome in sorted(done, key=lambda one: isinstance(one[1], (_Passing, _Refusal))):
                        if isinstance(outcome, Failure) and not self._has_answered:
                            doubtful.append((row, outcome))
                        elif outcome is not None and not isinstance(outcome, (_Passing, _Refusal)):
                            yield row, outcome
                        self._judge(outcome)
                        if self._has_answered:
                            yield from doubtful
                            doubtful.clear()
                yield from doubtful
            finally:
                runner.run(_close(client, running))

    def _judge(self, outcome: _Outcome) -> None:
        """Raise where there is no going on."""
        if isinstance(outcome, _Refusal):
            raise CaptionsRefused(self._server, outcome.said, model=self.name)
        if isinstance(outcome, _Passing) or (isinstance(outcome, Failure) and not self._has_answered):
            self._in_a_row += 1
            if self._in_a_row >= _MOST_IN_A_ROW:
                raise CaptionsInterrupted(
                    self._server, outcome.said if isinstance(outcome, _Passing) else outcome.reason
                )
        elif outcome is not None:
            self._in_a_row = 0
            self._has_answered = True

    async def _ask(self, client: Any, pictures: IndexedPictures, row: int) -> _Outcome:
        """Ask for one picture, a second time where the answer is not whole; None where it cannot be read just now."""
        image = await asyncio.to_thread(pictures.read, row, SIDE)
        if image is None:
            return None
        openai, url = self._openai, _data_url(image)
        try:
            captions = read_answer(await self._answer(client, url, make_prompt(self.languages)))
            if not is_whole(captions, self.languages):
                second = await self._answer(client, url, make_prompt(self.languages, is_second=True))
                captions = merge(captions, read_answer(second))
        except openai.APIStatusError as error:
            said = self._words_of(error)
            if error.status_code in _FINAL or error.code == "insufficient_quota":
                return _Refusal(said)
            passes = error.status_code in (408, 409, 425, 429) or error.status_code >= 500
            return _Passing(said) if passes else Failure(said)
        except openai.APIConnectionError as error:  # no answer in time among them
            return _Passing(self._words_of(error))
        return captions or Failure("the answers of the caption server say nothing that can be used")

    async def _answer(self, client: Any, url: str, prompt: str) -> str:
        """Return the words of one answer, "" where there are none."""
        content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": url}}]
        asked: dict[str, Any] = {"model": self.name, "messages": [{"role": "user", "content": content}]}
        schema = {"name": "captions", "strict": True, "schema": make_schema(self.languages)}
        openai = self._openai
        try:
            if self._takes_schema:
                try:
                    form = {"type": "json_schema", "json_schema": schema}
                    return _content(await client.chat.completions.create(**asked, response_format=form))
                except (openai.BadRequestError, openai.UnprocessableEntityError):
                    answer = _content(await client.chat.completions.create(**asked))  # it may have been the schema
                    self._takes_schema = False
                    return answer
            return _content(await client.chat.completions.create(**asked))
        except (openai.APIResponseValidationError, ValueError) as error:
            logger.debug("the caption server did not answer with JSON: %s", type(error).__name__)
            return ""

    def _open_client(self) -> Any:
        omit: Any = self._openai.Omit()  # what is in the environment for another service is not for this one
        return self._openai.AsyncOpenAI(
            base_url=self._settings.url,
            api_key=self._key or _NO_KEY,
            timeout=self._settings.timeout_seconds,
            max_retries=_RETRIES,
            default_headers={"OpenAI-Organization": omit, "OpenAI-Project": omit},
            # What is on this machine is asked without a proxy, and what it leads to elsewhere is not followed.
            http_client=self._openai.DefaultAsyncHttpxClient(trust_env=False, follow_redirects=False)
            if is_on_this_machine(self._settings.url)
            else None,
        )

    @property
    def _server(self) -> str:
        """The address of the server, without what may be secret in it."""
        parts = urlsplit(self._settings.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()

    def _words_of(self, error: Exception) -> str:
        """Return what is said of an error, without the key."""
        body = getattr(error, "body", None)
        said = body.get("message") if isinstance(body, dict) else None
        status = getattr(error, "status_code", None)
        cause = error.__cause__
        text = str(said or (f"{error} ({cause})" if cause and str(cause) else error))
        text = " ".join(f"{status}: {text}".split() if status and str(status) not in text else text.split())
        text = text.replace(self._key, "***") if self._key else text
        return text[:_MOST_SAID].rstrip(".") + "."


async def _first_of(running: "dict[asyncio.Task[_Outcome], int]") -> "set[asyncio.Task[_Outcome]]":
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _close(client: Any, running: "dict[asyncio.Task[_Outcome], int]") -> None:
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await client.close()


def _content(completion: Any) -> str:
    choices = getattr(completion, "choices", None) or []
    content = getattr(choices[0].message, "content", None) if choices and choices[0].message else None
    return content if isinstance(content, str) else ""


def _data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
