"""What a person asked an image generator for, out of the texts that generators leave in their files."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_MOST_NODES: Final = 500
_MOST_LINKS: Final = 50  # of a node
_MOST_CHARACTERS: Final = 4_000
_AFTER: Final = re.compile(r"\n?Negative prompt:|\nSteps: ")
_UNWANTED: Final = re.compile(r"negative|neg\b|反向|负面", re.IGNORECASE)


def read_prompt(texts: Mapping[str, str], comment: str = "") -> str:
    """Return the prompt, "" where there is none; what was not wanted and the workflow are left out.

    `texts` by their keywords, `comment` as EXIF has it. The forms of Stable Diffusion web UI and its kin
    ("parameters"), ComfyUI ("prompt": a graph of nodes), InvokeAI, Fooocus and NovelAI (JSON).
    """
    for text in (texts.get("parameters", ""), comment):
        if found := _of_parameters(text):
            return found[:_MOST_CHARACTERS]
    for keyword in ("prompt", "invokeai_metadata", "sd-metadata", "Comment", "fooocus_metadata"):
        if found := _of_json(texts.get(keyword, "")):
            return found[:_MOST_CHARACTERS]
    return ""


def _of_parameters(text: str) -> str:
    if text.lstrip().startswith("{"):
        return _of_json(text)
    return _AFTER.split(text, maxsplit=1)[0].strip() if _AFTER.search(text) else ""


def _of_json(text: str) -> str:
    if not text.lstrip().startswith("{"):
        return ""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(read, dict):
        return ""
    for keyword in ("positive_prompt", "prompt", "uc_prompt"):
        if isinstance(read.get(keyword), str):
            return str(read[keyword]).strip()
    image = read.get("image")
    if isinstance(image, dict) and isinstance(image.get("prompt"), str):
        return str(image["prompt"]).strip()
    return _of_graph(read)


def _of_graph(nodes: Mapping[str, Any]) -> str:
    """Return the texts of a graph that are encoded as what is wanted."""
    usable = {name: node for name, node in list(nodes.items())[:_MOST_NODES] if isinstance(node, dict)}
    wanted: list[str] = []
    seen: set[str] = set()
    for node in usable.values():
        inputs = node.get("inputs")
        start = inputs.get("positive") if isinstance(inputs, dict) else None
        wanted += _texts_before(usable, start, seen)
    if not wanted:
        wanted = [text for node in usable.values() if not _is_unwanted(node) for text in _own_texts(node)]
    return "\n".join(dict.fromkeys(wanted)).strip()


def _texts_before(nodes: Mapping[str, Any], start: Any, seen: set[str]) -> list[str]:
    """Return the texts of a node, given as (name, output), and of those that it takes its inputs from."""
    found, ahead = [], [start]
    while ahead:
        link = ahead.pop()
        name = str(link[0]) if isinstance(link, list) and link else ""
        node = nodes.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        found += _own_texts(node)
        ahead += list((node.get("inputs") or {}).values())[:_MOST_LINKS] if isinstance(node.get("inputs"), dict) else []
    return found


def _own_texts(node: Mapping[str, Any]) -> list[str]:
    inputs = node.get("inputs")
    if not isinstance(inputs, dict) or "text" not in str(node.get("class_type", "")).lower() + "".join(inputs):
        return []
    texts = (inputs.get(name) for name in ("text", "text_g", "text_l", "prompt", "string", "value"))
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]


def _is_unwanted(node: Mapping[str, Any]) -> bool:
    title = node.get("_meta")
    return _UNWANTED.search(str(title.get("title", "")) if isinstance(title, dict) else "") is not None
