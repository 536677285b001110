"""A training on several devices: a process for each, which the one that began them watches over."""

import os
import signal
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import cast

from models.foundation.errors import ImageSearchError
from models.training.finetune.job import Job, OnReport, Stop, run
from models.training.loop import TrainingReport

_LOOK_SECONDS = 0.2


def launch(job: Job, devices: Sequence[str], report: OnReport, stop: Stop) -> int:
    """Train on every device at once; return the steps done. Raises what `run` raises in any of the processes."""
    context = get_context("spawn")
    stopping = context.Event()
    with tempfile.TemporaryDirectory() as scratch:
        processes: dict[Connection, SpawnProcess] = {}
        try:
            for rank in range(len(devices)):
                ours, theirs = context.Pipe(duplex=False)
                meeting = Path(scratch) / "meeting"
                process = context.Process(target=_begin, args=(job, devices, rank, meeting, stopping, theirs))
                process.start()
                theirs.close()
                processes[ours] = process
            return _watch(processes, stopping, report, stop)
        finally:
            for process in processes.values():
                process.kill()
                process.join()


def _watch(processes: dict[Connection, SpawnProcess], stopping: Event, report: OnReport, stop: Stop) -> int:
    """Pass on what the processes say until each has said how many steps it has done."""
    working = dict(processes)
    steps = 0
    while working:
        if stop():
            stopping.set()
        for connection in cast("list[Connection]", wait(list(working), _LOOK_SECONDS)):
            try:
                said: TrainingReport | BaseException | int = connection.recv()
            except EOFError:
                working[connection].join()
                raise RuntimeError(f"a training process ended by itself ({working[connection].exitcode})") from None
            if isinstance(said, TrainingReport):
                report(said)
            elif isinstance(said, BaseException):
                raise said if isinstance(said, ImageSearchError) else _cause(said, working)
            else:
                steps = said
                working.pop(connection).join()
    return steps


def _cause(error: BaseException, working: Iterable[Connection]) -> BaseException:
    """Return what went wrong first: where one process fails, those that it leaves alone fail to reach it."""
    for connection in working:
        try:
            while connection.poll():
                said = connection.recv()
                if isinstance(said, ImageSearchError):
                    return said
        except EOFError:
            continue
    return error


def _begin(job: Job, devices: Sequence[str], rank: int, meeting: Path, stopping: Event, connection: Connection) -> None:
    """Be one of the processes."""
    from models.encoders.registry import get_published
    from models.training import process_group

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that began this one says when to stop
    parent = os.getppid()

    def stop() -> bool:
        if os.getppid() != parent:
            os._exit(1)
        return stopping.is_set()

    try:
        published = get_published(job.base, job.runtime)
        if published is None:
            raise ValueError(f"{job.base} has no checkpoint")
        alone = replace(job, workers=-(-job.workers // len(devices)))
        with process_group.joined(rank, len(devices), devices[rank], meeting):
            connection.send(run(alone, published, devices[rank], connection.send, stop))
    except Exception as error:  # noqa: BLE001 - whatever it is, the process that began this one raises it
        connection.send(error)
