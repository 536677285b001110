"""Videos: their moments and times, their covers, how they are turned, and files that are none or not whole."""

import io
import time
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import ExifTags, Image

from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits
from models.videos.moments import Reached, decode_at, decode_cover, list_moments
from models.videos.opening import open_video
from models.videos.options import MomentOptions

LIMITS = DecodeLimits()
LENGTHS = (2.0, 3.0, 2.5)  # seconds of three scenes
STARTS = (0, 2000, 5000)


@contextmanager
def opened(path, limits: DecodeLimits = LIMITS):
    with path.open("rb") as file, open_video(file, limits) as video:
        yield video


def moments_of(path, reached: Reached | None = None, **options):
    with opened(path) as video:
        return list(list_moments(video, MomentOptions(**options), LIMITS, short_side=60, reached=reached))


def cover_of(path, **options):
    with opened(path) as video:
        return decode_cover(video, LIMITS, short_side=1000, **options)


def why_not(path, limits: DecodeLimits = LIMITS) -> str:
    with pytest.raises(DecodeError) as caught, opened(path, limits) as video:
        decode_cover(video, limits, short_side=60)
    return caught.value.reason


def far(image: Image.Image, scene: np.ndarray) -> float:
    """Return how far a picture is from a scene, mean of 0..255."""
    other = Image.fromarray(scene).resize(image.size)
    return float(np.abs(np.asarray(image, float) - np.asarray(other, float)).mean())


CODECS = {
    "a.mp4": ("libx264", {}),
    "a.mov": ("libx265", {"x265-params": "log-level=none:pools=none"}),
    "a.mkv": ("libx264", {"bf": "3"}),
    "a.webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "b.webm": ("libvpx", {"deadline": "realtime"}),
    "av1.mp4": ("libsvtav1", {"preset": "11", "svtav1-params": "lp=1"}),
    "a.avi": ("mpeg4", {}),
    "b.avi": ("mjpeg", {}),
    "a.3gp": ("mpeg4", {}),
    "a.ts": ("libx264", {}),
    "a.m2ts": ("mpeg2video", {}),
}


@pytest.mark.parametrize("name", CODECS)
def test_each_scene_is_a_moment_at_its_time(name, tmp_path, draw_scene, write_video, heavy):
    scenes = [draw_scene(seed) for seed in range(3)]
    codec, options = CODECS[name]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(
        tmp_path / name, list(zip(LENGTHS, scenes, strict=True)), codec, options=options, pixels=pixels, gop=10
    )
    reached = Reached()
    found = moments_of(path, reached)
    assert [round(one.at_ms, -3) for one in found] == list(STARTS)
    for moment, scene in zip(found, scenes, strict=True):
        assert far(moment.image, scene) < 12
    assert reached == Reached()
    cover = cover_of(path)
    wanted = {"b.webm": "webm", "av1.mp4": "mp4", "b.avi": "avi", "a.m2ts": "ts"}.get(name, name.partition(".")[2])
    assert (cover.width, cover.height, cover.format) == (160, 120, wanted)
    assert cover.duration_ms == pytest.approx(7_500, abs=150)
    with opened(path) as video:
        again = decode_at(video, found[2].at_ms, LIMITS, short_side=60)
    assert far(again, scenes[2]) < 12


def test_between_key_frames_that_are_far_apart_something_is_looked_at(tmp_path, draw_scene, write_video):
    scenes = [(6.0, draw_scene(1)), (6.0, draw_scene(2))]
    path = write_video(tmp_path / "a.mp4", scenes, options={"sc_threshold": "0"})
    assert [one.at_ms // 1000 for one in moments_of(path, seconds=3.0)] == [0, 8]
    assert len(moments_of(path, seconds=30.0)) == 1  # one key frame, and nothing else is looked at


def test_what_stands_still_is_one_moment_and_what_changes_slowly_some(tmp_path, draw_scene, write_video):
    still = write_video(tmp_path / "still.mp4", [(40, draw_scene(1, 64, 48))], gop=10, rate=5)
    assert [one.at_ms for one in moments_of(still)] == [0]
    wide = draw_scene(3, 400, 48)
    moving = write_video(tmp_path / "moving.mp4", [(0.2, wide[:, at : at + 64]) for at in range(200)], gop=5, rate=5)
    found = [one.at_ms for one in moments_of(moving, seconds=8.0)]
    assert 5 <= len(found) <= 11
    assert min(b - a for a, b in pairwise(found)) >= 1_000


def test_black_at_the_beginning_is_no_moment_and_no_cover(tmp_path, draw_scene, write_video):
    black, scene = np.zeros((120, 160, 3), np.uint8), draw_scene(5)
    path = write_video(tmp_path / "a.mp4", [(3, black), (3, scene)], gop=10)
    (found,) = moments_of(path)
    assert found.at_ms == 3000
    assert far(cover_of(path).image, scene) < 12
    dark = write_video(tmp_path / "dark.mp4", [(3, black)])
    assert [one.at_ms for one in moments_of(dark)] == [0]


def test_a_long_video_has_no_more_moments_than_allowed(tmp_path, draw_scene, write_video, heavy):
    scenes = [(1, draw_scene(seed, 64, 48)) for seed in range(60)]
    path = write_video(tmp_path / "a.mp4", scenes, gop=5, rate=5)
    assert len(moments_of(path)) > 50
    found = [one.at_ms for one in moments_of(path, most=8)]
    assert 6 <= len(found) <= 8
    assert found[-1] > 45_000


def test_time_that_runs_out_is_said(tmp_path, draw_scene, write_video):
    path = write_video(tmp_path / "a.mp4", [(1, draw_scene(1)), (1, draw_scene(2))], gop=5)
    reached = Reached()
    assert [one.at_ms for one in moments_of(path, reached, limit_s=0.0)] == [0]
    assert reached == Reached(out_of_time=True)


@pytest.mark.parametrize(("turn", "corner"), [(0, (0, 0)), (90, (0, 1)), (180, (1, 1)), (270, (1, 0))])
def test_a_video_is_turned_as_it_says(turn, corner, tmp_path, write_video):
    """The left upper corner, red, is found where turning it against the clock brings it."""
    scene = np.full((120, 160, 3), 128, np.uint8)
    scene[:40, :40] = (230, 20, 20)
    cover = cover_of(write_video(tmp_path / "a.mp4", [(1, scene)], turn=turn))
    assert (cover.width, cover.height) == cover.image.size == ((120, 160) if turn % 180 else (160, 120))
    across, down = corner
    red = cover.image.getpixel((across * (cover.width - 1), down * (cover.height - 1)))
    assert red[1] < 100 < red[0]


def test_pixels_that_are_not_square_are_made_so(tmp_path, draw_scene, write_video):
    path = write_video(tmp_path / "a.mkv", [(1, draw_scene(1))], sample_aspect_ratio=Fraction(4, 3))
    cover = cover_of(path)
    assert (cover.width, cover.height) == cover.image.size == (213, 120)
    small = cover_of(path).image.resize((21, 12))
    assert far(small, draw_scene(1)) < 12


PATCHES = ((200, 40, 40), (30, 160, 60), (40, 60, 200), (128, 128, 128), (255, 255, 255), (0, 0, 0))


@pytest.mark.parametrize(("matrix", "size"), [(1, (320, 240)), (5, (320, 240)), (2, (320, 240)), (2, (1280, 720))])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_those_that_were_filmed(matrix, size, full, tmp_path, heavy):
    """Of known colours, in each of the two matrices and ranges; 2 does not say, and is read by the number of lines."""
    width, height = size
    scene = np.repeat(np.array(PATCHES, np.uint8), width // len(PATCHES), axis=0)
    scene = np.broadcast_to(np.pad(scene, ((0, width - len(scene)), (0, 0)), "edge"), (height, width, 3))
    meant = matrix if matrix != 2 else 1 if height >= 720 else 5
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(scene), "rgb24").reformat(
        format="yuv444p", dst_colorspace=meant, dst_color_range=2 if full else 1
    )
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    image = cover_of(path).image
    for place, patch in enumerate(PATCHES):
        seen = image.getpixel((int((place + 0.5) * (width // len(PATCHES))), height // 2))
        assert np.abs(np.subtract(seen, patch)).max() <= 4, (patch, seen)


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.58), (18, 0.75)])
def test_what_is_brighter_than_white_is_told_apart(transfer, white, tmp_path):
    """PQ and HLG in BT.2020: paper white (203 cd/m2) is light but not white, and light beyond it is lighter still."""
    levels = np.array([[0.2, white, min(1.0, white + 0.15)]])
    values = np.repeat(np.repeat(levels * 65535, 40, axis=1), 60, axis=0).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(np.stack([values] * 3, axis=-1), "rgb48le").reformat(
        format="yuv444p10le", dst_colorspace=9, dst_color_range=1
    )
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 120, 60, "yuv444p10le"
        for target in (stream.codec_context, frame):
            target.color_trc, target.color_primaries, target.colorspace, target.color_range = transfer, 9, 9, 1
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    dark, paper, bright = (cover_of(path).image.getpixel((x, 30)) for x in (20, 60, 100))
    assert max(paper) - min(paper) <= 6
    assert dark[1] < 110 < paper[1] < bright[1] <= 255
    assert paper[1] < 235


def test_what_is_transparent_is_on_white(tmp_path):
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:20] = (200, 30, 30, 255)
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("qtrle", rate=5)
        stream.width, stream.height, stream.pix_fmt = 40, 40, "argb"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgba").reformat(format="argb")))
        output.mux(stream.encode(None))
    image = cover_of(path).image
    assert image.getpixel((20, 35)) == (255, 255, 255)
    assert np.abs(np.subtract(image.getpixel((20, 5)), (200, 30, 30))).max() <= 4


def test_a_file_that_is_cut_says_so_and_gives_what_it_has(tmp_path, draw_scene, write_video):
    scenes = [(5, draw_scene(seed)) for seed in range(4)]
    for name, options in (("a.mkv", {}), ("a.mp4", {"movflags": "faststart"})):
        path = write_video(tmp_path / name, scenes, gop=10, container=options)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        reached = Reached()
        found = moments_of(path, reached)
        assert reached.breaks_off
        assert 1 <= len(found) <= 3
    plain = write_video(tmp_path / "plain.mp4", scenes)
    plain.write_bytes(plain.read_bytes()[:-400])  # what says where its frames are stands at the end
    assert why_not(plain) == "truncated"


def test_a_video_that_does_not_say_how_long_it_is_is_measured(tmp_path, draw_scene, write_video):
    scenes = [(2, draw_scene(seed)) for seed in range(3)]
    path = write_video(
        tmp_path / "a.webm", scenes, "libvpx", gop=10, options={"deadline": "realtime"}, container={"live": "1"}
    )
    with av.open(str(path)) as container:
        assert container.duration is None
    assert cover_of(path).duration_ms == 5_900
    assert [one.at_ms for one in moments_of(path)] == [0, 2000, 4000]


def test_what_is_no_video_is_said(tmp_path, draw_scene, write_video):
    def keep(name: str, data: bytes):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(buffer, "PNG")
    assert why_not(keep("empty.mp4", b"")) == "empty_file"
    assert why_not(keep("text.mp4", b"a letter\n" * 100)) == "not_a_video"
    assert why_not(keep("picture.mp4", buffer.getvalue())) == "not_a_video"
    assert why_not(keep("noise.mkv", b"\x1aE\xdf\xa3" + bytes(range(256)) * 40)) == "corrupt"
    video = write_video(tmp_path / "a.mp4", [(1, draw_scene(1))])
    assert why_not(video, DecodeLimits(max_pixels=160 * 120 - 1)) == "too_many_pixels"


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile {name}\n", "#EXTM3U\n#EXTINF:10,\n{name}\n#EXT-X-ENDLIST\n"],
)
def test_a_list_of_other_files_is_no_video(text, tmp_path, draw_scene, write_video):
    secret = write_video(tmp_path / "secret.mp4", [(1, draw_scene(1))])
    for name in ("a.mp4", "a.mkv", "a.ts"):
        (tmp_path / name).write_text(text.format(name=secret.name))
        assert why_not(tmp_path / name) == "not_a_video"


def test_sound_alone_is_no_video_and_a_cover_of_music_neither(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert why_not(path) == "no_moving_pictures"


def test_what_a_video_says_of_itself_is_read_as_of_a_picture(tmp_path, draw_scene, write_video, monkeypatch):
    def exif_of(**metadata: str) -> Image.Exif:
        tags = {"movflags": "use_metadata_tags"}
        path = write_video(tmp_path / "a.mov", [(0.5, draw_scene(1))], metadata=metadata, container=tags)
        return cover_of(path).exif

    apple = {
        "com.apple.quicktime.creationdate": "2023-05-04T18:20:10+0800",
        "com.apple.quicktime.location.ISO6709": "+30.2500-120.1700+011.000/",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 14",
    }
    exif = exif_of(**apple)
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2023:05:04 18:20:10"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert gps[ExifTags.GPS.GPSLatitude][0] == 30.25
    assert (gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude][0]) == ("W", 120.17)
    assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == ("Apple", "iPhone 14")
    assert not exif_of().get_ifd(ExifTags.IFD.Exif)
    assert not exif_of(creation_time="1904-01-01T00:00:00.000000Z").get_ifd(ExifTags.IFD.Exif)
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        exif = exif_of(creation_time="2023-05-04T10:20:10.000000Z")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2023:05:04 18:20:10"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_whatever_a_file_holds_comes_out_as_moments_or_a_reason(name, tmp_path, draw_scene, write_video, heavy):
    codec = "mpeg4" if name == "a.avi" else "libx264"
    data = write_video(
        tmp_path / name, [(1, draw_scene(seed, 64, 48)) for seed in range(4)], codec, gop=10
    ).read_bytes()
    random, outcomes = np.random.default_rng(0), set()
    for number in range(80):
        changed = bytearray(data)
        span = len(data) if number % 2 else min(len(data), 2_000)
        for place in random.integers(0, span, 1 + number % 20):
            changed[place if number % 3 else -1 - place] = random.integers(0, 256)
        path = tmp_path / f"changed-{name}"
        path.write_bytes(changed[: len(changed) if number % 5 else int(random.integers(0, len(data)))])
        try:
            cover_of(path)
            found = moments_of(path, seconds=1.0)
            with opened(path) as video:
                decode_at(video, found[-1].at_ms, LIMITS, short_side=60)
            outcomes.add("moments")
        except DecodeError as error:
            outcomes.add(error.reason)
    assert "moments" in outcomes
    assert len(outcomes) >= 2
