"""What a run without a terminal says of how far it is."""

import itertools
import json
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
import typer

from indexer.library.errors import NoIndex
from indexer.pipeline.encode import Progress
from indexer.pipeline.progress import ProgressDisplay
from indexer.pipeline.progress_lines import Ending, ProgressLines
from models.foundation.errors import InvalidSetting
from models.foundation.messages import verbatim


def test_a_run_that_takes_long_says_so_until_all_is_done(monkeypatch, capsys):
    seconds = itertools.count(step=20)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
    with ProgressDisplay() as display:
        for encoded, failed in ((0, 0), (1, 1), (2, 1)):
            display.advance(Progress(total=3, encoded=encoded, failed=failed))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("2 of 3, 0.03 a second, ")
    assert line.endswith(" s left, 1 failed")


def test_programs_are_told_lines(monkeypatch, capsys):
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    lines = ProgressLines()
    lines.scanned(1000)
    for done in (0, 1, 2, 3):
        lines.advance(Progress(total=3, encoded=done))
    lines.annotated("phash", 0, 5)
    lines.warn([InvalidSetting("XUNTU_X", "y", verbatim("why"))])
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one.get("stage"), one.get("done"), one.get("total")) for one in told] == [
        ("scanning", 1000, 0),
        ("encoding", 0, 3),
        ("encoding", 3, 3),
        ("annotating", 0, 5),
        (None, None, None),
    ]
    assert told[3]["name"] == "phash"
    assert told[4]["warning"]["code"] == "invalid_setting"
    assert told[4]["warning"]["mistake"] is True


@pytest.mark.parametrize(
    ("error", "end", "code"),
    [
        (None, "done", None),
        (KeyboardInterrupt(), "stopped", None),
        (typer.Exit(130), "stopped", None),
        (NoIndex(Path("/a/library")), "failed", "no_index"),
        (ZeroDivisionError("division"), "failed", "error"),
    ],
)
def test_the_last_line_says_how_a_run_has_ended(capsys, error, end, code):
    before = signal.getsignal(signal.SIGTERM)
    try:
        with suppress(BaseException), Ending():
            if error:
                raise error
    finally:
        signal.signal(signal.SIGTERM, before)
    (told,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (told["end"], told.get("error", {}).get("code")) == (end, code)
