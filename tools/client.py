"""Write the client that waits, api/client/synchronous.py, from the one that is awaited: `python tools/client.py`.

Both have the same calls, so they are written once, in api/client/asynchronous.py. `--check` says what is not as it
would be written.
"""

import argparse
import difflib
import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "api" / "client" / "asynchronous.py"
TARGET = SOURCE.with_name("synchronous.py")
_HEAD = "# Written by tools/client.py from asynchronous.py, which is where to change it.\n"
_PASSAGES = (  # those that are words for people
    (
        '"""The typed client of the REST API for asynchronous programs."""\n\n',
        f'"""The typed client of the REST API."""\n\n{_HEAD}\nimport time\n',
    ),
    (
        "As `Client`, to be awaited; for asyncio and trio.",
        (
            "Calls the service; safe to share between threads. `language` is that of the sentences in answers and in "
            "errors."
        ),
    ),
    (
        """        >>> import asyncio, xuntu
        >>> async def ask(*texts):  # all at once
        ...     async with xuntu.connect_async("http://127.0.0.1:8000") as client:  # xuntu serve --data data/demo
        ...         answers = await asyncio.gather(*(client.search(text, k=1) for text in texts))
        ...     return [answer.hits[0].path for answer in answers]
        >>> asyncio.run(ask("一只猫", "a rocket"))
        ['chelsea.png', 'rocket.jpg']
""",
        """        >>> import xuntu
        >>> client = xuntu.connect("http://127.0.0.1:8000")  # xuntu serve --data data/demo
        >>> [hit.path for hit in client.search("一只猫", k=1).hits]
        ['chelsea.png']
        >>> client.close()
""",
    ),
)
_CODE = (
    (r"from collections\.abc import AsyncIterator, Callable, ", "from collections.abc import Callable, Iterator, "),
    (r"\bAsync(Client|Iterator)\b", r"\1"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|read|iter_lines)\(", r"\1("),
    (r"\banyio\.sleep\b", "time.sleep"),
    (r" *import anyio\n\n?", ""),
    (r"for (\w+) in ([^\n]+):\n +yield \1\n", r"yield from \2\n"),
)


def write(text: str) -> str:
    """Return the text of the client that waits. Raises ValueError where a passage is not there any more."""
    for there, instead in _PASSAGES:
        if text.count(there) != 1:
            raise ValueError(f"{SOURCE.name} does not have once: {there!r}")
        text = text.replace(there, instead)
    for pattern, instead in _CODE:
        text = re.sub(pattern, instead, text)
    return text


def main() -> int:
    """Write the file, or print how it differs; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    wanted = write(SOURCE.read_text(encoding="utf-8"))
    if not parser.parse_args().check:
        TARGET.write_text(wanted, encoding="utf-8")
        return 0
    found = TARGET.read_text(encoding="utf-8")
    lines = difflib.unified_diff(found.splitlines(), wanted.splitlines(), TARGET.name, "as written", lineterm="")
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return int(found != wanted)


if __name__ == "__main__":
    sys.exit(main())
