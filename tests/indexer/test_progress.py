"""What a run without a terminal says of how far it is."""

import itertools
import time

from indexer.pipeline.encode import Progress
from indexer.pipeline.progress import ProgressDisplay


def test_a_run_that_takes_long_says_so_until_all_is_done(monkeypatch, capsys):
    seconds = itertools.count(step=20)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
    with ProgressDisplay() as display:
        for encoded, failed in ((0, 0), (1, 1), (2, 1)):
            display.advance(Progress(total=3, encoded=encoded, failed=failed))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("2 of 3, 0.03 a second, ")
    assert line.endswith(" s left, 1 failed")
