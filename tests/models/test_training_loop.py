"""The loop of every training: it learns, goes on bit for bit, and keeps nothing of a step that came apart."""

import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.training.errors import TrainingDamaged, TrainingDiverged
from models.training.loop import Schedule, TrainingReport, averaged_weights, train

pytestmark = pytest.mark.usefixtures("torch")

SCHEDULE = Schedule(steps=12, rate=0.01, warmup=2, falling=4)


class Line:
    """A task: a line through drawn points, and dropout, which draws too."""

    def __init__(self, broken_at: int = -1) -> None:
        torch.manual_seed(0)
        self.module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))
        self._broken_at = broken_at

    def losses(self, step):
        points = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        wrong = self.module(points)[:, 0] - points.sum(1)
        return {"line": wrong.square().mean() * (math.nan if step == self._broken_at else 1)}


def stop_after(steps: int):
    asked = iter(range(steps))
    return lambda: next(asked, None) is None


def run(checkpoint: Path, schedule: Schedule, **given) -> list[TrainingReport]:
    reports: list[TrainingReport] = []
    train(Line(), schedule, checkpoint, report=reports.append, **given)
    return reports


@pytest.mark.parametrize("averaged", [0.0, 0.9])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path, averaged):
    schedule = Schedule(steps=30, rate=0.01, warmup=5, falling=10, averaged=averaged)
    run(tmp_path / "whole.pt", schedule)
    for steps in (7, 9):
        assert train(Line(), schedule, tmp_path / "parts.pt", report=print, stop=stop_after(steps)) < 30
    run(tmp_path / "parts.pt", schedule)
    whole, parts = (averaged_weights(tmp_path / name) for name in ("whole.pt", "parts.pt"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_it_reports_mean_losses_that_fall(tmp_path):
    reports = run(tmp_path / "line.pt", Schedule(steps=100, rate=0.05, warmup=5, falling=20), report_every=40)
    assert [(report.step, report.steps) for report in reports] == [(40, 100), (80, 100), (100, 100)]
    assert reports[-1].losses["line"] < reports[0].losses["line"] / 2


def test_the_rate_rises_stays_and_falls_to_nothing():
    schedule = Schedule(steps=100, rate=1.0, warmup=10, falling=20)
    rates = [schedule.rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert set(rates[9:80]) == {1.0}
    assert rates[80:] == sorted(rates[80:], reverse=True)
    assert rates[-1] < 0.05


def test_it_saves_as_often_as_asked(tmp_path):
    steps = []
    schedule = Schedule(steps=6, rate=0.01, warmup=1)
    path = tmp_path / "line.pt"

    def note(_: TrainingReport) -> None:
        steps.append(torch.load(path, weights_only=True)["step"] if path.exists() else 0)

    train(Line(), schedule, path, report=note, report_every=1, save_every=2)
    assert steps == [0, 0, 2, 2, 4, 4]
    steps.clear()
    path.unlink()
    train(Line(), schedule, path, report=note, report_every=1, save_seconds=0)
    assert steps == [0, 1, 2, 3, 4, 5]


def test_a_step_that_comes_apart_is_said_and_not_saved(tmp_path):
    path = tmp_path / "line.pt"
    with pytest.raises(TrainingDiverged, match="step 5") as caught:
        train(Line(broken_at=4), Schedule(steps=9, rate=0.01), path, report=print, save_every=1)
    assert "第 5 步" in caught.value.text("zh")
    assert torch.load(path, weights_only=True)["step"] == 4
    assert all(value.isfinite().all() for value in averaged_weights(path).values())


def test_a_full_disk_leaves_what_was_saved_before_and_is_said_as_such(tmp_path):
    resource = pytest.importorskip("resource")
    path, (soft, hard) = tmp_path / "line.pt", resource.getrlimit(resource.RLIMIT_FSIZE)
    assert train(Line(), SCHEDULE, path, report=print, stop=stop_after(4)) == 4
    saved = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(saved) // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            run(path, SCHEDULE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"line.pt": saved}
    run(path, SCHEDULE)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_named_and_not_written_over(tmp_path, kept):
    path = tmp_path / "line.pt"
    train(Line(), SCHEDULE, path, report=print, stop=stop_after(4))
    damaged = path.read_bytes()[: round(kept * path.stat().st_size)]
    path.write_bytes(damaged)
    with pytest.raises(TrainingDamaged, match=r"line\.pt is damaged") as caught:
        run(path, SCHEDULE)
    assert "已损坏" in caught.value.text("zh")
    assert path.read_bytes() == damaged


def test_a_training_that_was_killed_goes_on_from_what_it_had_saved(tmp_path, processes):
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1]); import test_training_loop as t\n"
        "def report(at):\n"
        "    if at.step == 8: os.kill(os.getpid(), signal.SIGKILL)\n"
        "t.train(t.Line(), t.SCHEDULE, Path(sys.argv[2]), report=report, report_every=1, save_every=3)"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path / "killed.pt")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert torch.load(tmp_path / "killed.pt", weights_only=True)["step"] == 6
    run(tmp_path / "killed.pt", SCHEDULE)
    run(tmp_path / "whole.pt", SCHEDULE)
    killed, whole = (averaged_weights(tmp_path / name) for name in ("killed.pt", "whole.pt"))
    assert all(torch.equal(killed[name], whole[name]) for name in whole)
