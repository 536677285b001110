"""A library of the built-in encoder of an earlier version goes on with it, and is told how to be encoded anew."""

import shlex

import numpy as np
import pytest

from indexer.pipeline.commands import BuildOptions, build
from models.encoders.registry import DEFAULT_ENCODER, SUPERSEDED, get_spec, is_known

pytestmark = pytest.mark.usefixtures("processes")
TOLD = "is the built-in encoder of an earlier version"


@pytest.fixture(params=SUPERSEDED)
def old(request, album):
    """An album of two pictures, built with an encoder that new libraries are not built with."""
    album.draw("a.png", "trip/b.jpg")
    album.build(encoders=[request.param])
    return album


def encoders_of(album) -> list[str]:
    """Return the encoders of the index in use, the main one first, after looking at the vectors of each."""
    opened = album.open()
    for index in opened.indexes:
        spec = get_spec(index.entry.encoder)
        assert (index.entry.dim, index.entry.count) == (spec.dim, 2)
        assert np.isfinite(index.index.fetch(index.index.list_ids())).all()
    opened.catalog.close()
    return [index.entry.encoder for index in opened.indexes]


def test_new_libraries_are_built_with_the_present_one(album):
    album.draw("a.png", "b.png")
    assert build(album.settings(), [album.pictures], BuildOptions()).encoders == (DEFAULT_ENCODER,)
    assert encoders_of(album) == [DEFAULT_ENCODER]
    assert DEFAULT_ENCODER not in SUPERSEDED
    assert all(map(is_known, SUPERSEDED))


def test_it_is_updated_with_its_own_and_told_of_the_present_one(old):
    before = encoders_of(old)
    (old.pictures / "a.png").unlink()
    old.draw("c.png")
    done = old.command("update", "--data", old.data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 pictures seen: 1 encoded, 1 already there")
    assert encoders_of(old) == before
    (told,) = (line for line in done.stderr.splitlines() if TOLD in line)
    assert told.startswith(f"{before[0]} {TOLD}")
    assert told.endswith(f"To encode the 2 pictures anew: xuntu index rebuild --reencode --encoder {DEFAULT_ENCODER}")


def test_it_is_told_in_chinese_and_never_to_programs(old):
    done = old.command("build", old.pictures, "--data", old.data, LANG="zh_CN.UTF-8")
    (told,) = (line for line in done.stderr.splitlines() if "--reencode" in line)
    assert "内置编码器" in told
    assert f"xuntu index rebuild --reencode --encoder {DEFAULT_ENCODER}" in told
    assert TOLD not in done.stderr
    asked = old.command("update", "--data", old.data, "--json")
    assert (asked.returncode, "--reencode" in asked.stderr) == (0, False)


@pytest.mark.parametrize("more", [(), ("hash",)])
def test_what_it_is_told_to_run_encodes_it_anew(old, more):
    (before,) = encoders_of(old)
    old.update(encoders=[*more, before])
    assert encoders_of(old) == [*more, before]
    told = old.command("update", "--data", old.data).stderr
    program, group, *command = shlex.split(told[told.index("xuntu index rebuild") :].splitlines()[0])
    assert (program, group) == ("xuntu", "index")
    done = old.command(*command, "--data", old.data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 pictures seen: 2 encoded, 0 already there, 0 failed")
    assert encoders_of(old) == [*more, DEFAULT_ENCODER]
    assert TOLD not in old.command("update", "--data", old.data).stderr
    assert old.problems() == []
