"""A process that decodes, one picture after another: `python -m api.http.decoding.worker PARENT`.

Jobs come on standard input, answers go to standard output, until one of them is closed. It ends with its parent.
"""

import ctypes
import json
import os
import pickle
import signal
import struct
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from api.http.decoding.jobs import DecodeJob, DecodeTask, describe_error
from api.search.errors import CropOutside
from api.search.pictures import decode_picture, find_cost
from indexer.library.errors import UnknownSource
from indexer.library.thumbnails import make_thumbnail
from models.pictures.errors import DecodeError

_PR_SET_PDEATHSIG = 1
LENGTH = struct.Struct("<Q")
HEAD = struct.Struct("<IQ")  # of an answer: bytes of JSON, and bytes behind it


def main() -> None:
    """Answer jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the service as well, which ends this
    _end_with(int(sys.argv[1]))
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _write(answers, {"ready": 1})
    while head := jobs.read(LENGTH.size):
        job: DecodeJob = pickle.loads(jobs.read(*LENGTH.unpack(head)))  # noqa: S301 - the service alone writes here
        facts, body = _answer(job)
        del job
        _write(answers, facts, body)
        del body
        _give_back()


def _write(answers: BinaryIO, facts: dict[str, Any], body: bytes = b"") -> None:
    said = json.dumps(facts).encode()
    answers.write(HEAD.pack(len(said), len(body)) + said)
    answers.write(body)
    answers.flush()


def _answer(job: DecodeJob) -> tuple[dict[str, Any], bytes]:
    _limit(job.grant_bytes)
    try:
        return _do(job)
    except (DecodeError, UnknownSource, CropOutside) as error:
        return describe_error(error), b""
    except MemoryError:
        return describe_error(DecodeError("out_of_memory")), b""
    finally:
        _limit(None)


def _do(job: DecodeJob) -> tuple[dict[str, Any], bytes]:
    if job.task == DecodeTask.COST:
        cost = find_cost(job.asked)
        peak = -1 if cost.peak_bytes is None else cost.peak_bytes
        return {"width": cost.width, "height": cost.height, "peak": peak, "kept": cost.kept_bytes}, b""
    shown = decode_picture(job.asked)
    facts = {"width": shown.width, "height": shown.height}
    if job.task == DecodeTask.THUMBNAIL:
        buffer = BytesIO()
        make_thumbnail(shown.image, job.side).save(buffer, "WEBP", quality=82, method=2)
        return facts, buffer.getvalue()
    columns, rows = shown.image.size
    return {**facts, "columns": columns, "rows": rows}, shown.image.tobytes()


def _limit(grant_bytes: int | None) -> None:
    """Let this process take so many bytes more than it has, where the system keeps to that; None: as many as it can."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = resource.RLIM_INFINITY if grant_bytes is None else _count_data() + grant_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _count_data() -> int:
    """Return how many bytes of data this process has, as its limit counts them."""
    with Path("/proc/self/status").open(encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))


def _give_back() -> None:
    """Give memory that is not used back to the system: an idle worker is small."""
    Image.core.clear_cache()  # type: ignore[attr-defined]
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _end_with(parent: int) -> None:
    """Have the system end this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        sys.exit(0)


if __name__ == "__main__":
    main()
