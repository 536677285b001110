"""A video -> its moments: a frame of each scene, and of what goes on for long, each with its time.

Key frames are cheap, since each is decoded alone, and encoders put them where scenes change. Where they lie further
apart than is asked for, what is between them is decoded. A new scene is told by its colours; what moves or changes in
one scene is a moment of its own from time to time, and what looks like the moment before it is passed over. A scene
that is shorter than the distance of two key frames is missed where neither of them shows it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from models.pictures.decode import DecodedImage
from models.pictures.errors import DecodeError
from models.pictures.files import open_regular
from models.pictures.frames import SAYS_ENOUGH, says
from models.pictures.limits import DecodeLimits, check_pixels
from models.videos.frames import difference_of_colours, show_the_same, shown_size, small, to_image
from models.videos.metadata import read_exif
from models.videos.opening import AnyPacket, Video, open_video
from models.videos.options import MomentOptions

LEAST_GAP: Final = 0.5  # seconds between frames that are looked at, at least
_COVERS: Final = (0.1, 0.3, 0.5, 0.7, 0.0)  # shares of the duration at which a cover is looked for
_OTHER_SCENE: Final = 0.3  # share of colours that differ: of a camera that moves 0.1 at most, at cuts 0.5 and more
_BLANK: Final = 4.0  # standard deviation of 0..255, below which a frame says nothing
_KEPT_PACKETS: Final = 2**25  # bytes of packets that wait for their turn
_NEAR: Final = 0.002  # seconds: times of frames are kept in whole milliseconds
_LEADS: Final = (0.0, 2.0, 15.0, 1e9)  # seconds before a frame from which it is decoded, where less leads behind it
_ENDS_EARLY: Final = 2.0, 0.02  # seconds, and share of the duration: by more, a file breaks off


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A frame of a video: its time in milliseconds from the beginning, and what it shows, upright, in sRGB.

    `size` is that of the whole frame in pixels; the image may be smaller.
    """

    at_ms: int
    image: Image.Image
    size: tuple[int, int]


@dataclass(slots=True)
class Reached:
    """How far a video was looked at: whether its file breaks off, and whether time ran out before its end."""

    breaks_off: bool = False
    out_of_time: bool = False


def list_moments(
    video: Video,
    options: MomentOptions,
    limits: DecodeLimits,
    *,
    short_side: int,
    long_side: int = 0,
    reached: Reached | None = None,
) -> Iterator[Moment]:
    """Yield the moments of a video that was just opened, in order, at least one, reduced as `decode_image` does.

    `reached` is filled in.

    Raises DecodeError (corrupt) where there is none, and ImageTooLarge.
    """
    reached = Reached() if reached is None else reached
    count, kept, due, spare = 0, None, 0.0, None
    for at, frame in _Frames(video, options, limits, reached).look():
        seen = small(frame)
        is_of_scene = kept is not None and difference_of_colours(seen, kept) < _OTHER_SCENE
        if kept is not None and is_of_scene and (at < due or show_the_same(seen, kept)):
            continue
        if seen.std(axis=(0, 1)).max() < _BLANK:
            spare = spare or (at, frame)
            continue
        kept, due, count = seen, at + options.seconds / 2, count + 1
        yield _moment(video, at, frame, short_side, long_side)
        if count >= options.most:
            return
    if spare and not count:
        yield _moment(video, *spare, short_side, long_side)
    elif not count:
        raise DecodeError("corrupt")


def read_moments(
    path: Path, options: MomentOptions, limits: DecodeLimits, short_side: int
) -> Iterator[tuple[int, Image.Image]]:
    """Yield the moments of the video in a file: time in milliseconds, and picture. Raises what opening it raises."""
    with open_regular(path) as file, open_video(file, limits) as video:
        for moment in list_moments(video, options, limits, short_side=short_side):
            yield moment.at_ms, moment.image


def decode_cover(video: Video, limits: DecodeLimits, *, short_side: int, long_side: int = 0) -> DecodedImage:
    """Return the frame that stands for a video: one from its first part that says enough, else the one that says most.

    Raises DecodeError (corrupt) where no frame can be decoded, and ImageTooLarge.
    """
    best: tuple[float, VideoFrame] | None = None
    for share in _COVERS:
        frame = _key_frame_at(video, share * video.duration, limits)
        if frame is None:
            continue
        said = says(to_image(frame, video.aspect, short_side=64, long_side=64))
        if best is None or said > best[0]:
            best = said, frame
        if said >= SAYS_ENOUGH:
            break
    if best is None:
        raise DecodeError("corrupt")
    frame = best[1]
    width, height = shown_size(frame, video.aspect)
    return DecodedImage(
        image=to_image(frame, video.aspect, short_side=short_side, long_side=long_side),
        width=width,
        height=height,
        format=video.format,
        exif=read_exif(video.container.metadata),
        duration_ms=max(1, round(1000 * video.duration)),
    )


def decode_at(video: Video, at_ms: int, limits: DecodeLimits, *, short_side: int, long_side: int = 0) -> Image.Image:
    """Return the frame at a time, as `list_moments` found it. Raises DecodeError (corrupt) and ImageTooLarge."""
    for lead in _LEADS:
        video.seek(max(0.0, at_ms / 1000 - lead))
        frame = _decode_to(video, at_ms / 1000, limits)
        if frame is not None:
            return to_image(frame, video.aspect, short_side=short_side, long_side=long_side)
    raise DecodeError("corrupt")


def _decode_to(video: Video, at: float, limits: DecodeLimits) -> VideoFrame | None:
    """Return the first frame from a time on, or the last there is; None where the place is behind it already."""
    last: VideoFrame | None = None
    for packet in video.packets():
        try:
            frames = video.stream.codec_context.decode(packet)
        except av.FFmpegError:
            continue
        for frame in frames:
            check_pixels((frame.width, frame.height), limits)
            reached = _time_of(video, frame)
            if last is None and reached > at + _NEAR:
                return None
            if reached >= at - _NEAR:
                return frame
            last = frame
    return last


def _time_of(video: Video, frame: VideoFrame) -> float:
    base = frame.time_base or video.stream.time_base
    return max(0.0, float(frame.pts * base) - video.start) if frame.pts is not None and base else 0.0


def _key_frame_at(video: Video, at: float, limits: DecodeLimits) -> VideoFrame | None:
    video.seek(at)
    for packet in video.packets():
        if packet.is_keyframe and packet.size:
            frame = video.decode_key(packet)
            if frame is not None:
                check_pixels((frame.width, frame.height), limits)
                return frame
    return None


def _moment(video: Video, at: float, frame: VideoFrame, short_side: int, long_side: int) -> Moment:
    image = to_image(frame, video.aspect, short_side=short_side, long_side=long_side)
    return Moment(round(1000 * at), image, shown_size(frame, video.aspect))


@dataclass(slots=True, eq=False)
class _Frames:
    """The frames of a video that are worth a look, in order."""

    video: Video
    options: MomentOptions
    limits: DecodeLimits
    reached: Reached
    gap: float = 0.0  # seconds between frames that are looked at, at least, and
    seconds: float = 0.0  # at most
    waiting: list[AnyPacket] = field(default_factory=list)  # from the last key packet on, that no decoder has had
    bytes: int = 0
    looked: float = -np.inf  # when the last frame was that was looked at

    def look(self) -> Iterator[tuple[float, VideoFrame]]:
        video, options, spent, begun = self.video, self.options, 0.0, time.monotonic()
        self.gap = max(LEAST_GAP, video.duration / options.most)
        self.seconds = max(options.seconds, 2 * self.gap)
        end = 0.0
        for packet in video.packets(of_all=True):
            at = video.time_of(packet)
            if not packet.size or at is None:
                continue
            end = max(end, at + float((packet.duration or 0) * (packet.time_base or 0)))
            if packet.stream_index == video.stream.index:
                for found in self._take(packet, at):
                    spent += time.monotonic() - begun  # what is done with a frame does not count
                    yield found
                    begun = time.monotonic()
            if spent + time.monotonic() - begun > options.limit_s:
                self.reached.out_of_time = True
                return
        if self.waiting and end - self.looked >= max(self.gap, self.seconds / 2):
            yield from self._decode_waiting()
        least, share = _ENDS_EARLY
        self.reached.breaks_off = video.ended or video.duration - end > max(least, share * video.duration)

    def _take(self, packet: AnyPacket, at: float) -> Iterator[tuple[float, VideoFrame]]:
        if packet.is_keyframe:
            self.waiting, self.bytes = [packet], packet.size
            if at - self.looked >= self.gap:
                frame = self.video.decode_key(packet)
                if frame is not None:
                    yield from self._looked_at(at, frame)
            else:
                self.video.stream.codec_context.flush_buffers()
            return
        self.waiting.append(packet)
        self.bytes += packet.size
        if at - self.looked >= self.seconds or self.bytes > _KEPT_PACKETS:
            yield from self._decode_waiting()

    def _decode_waiting(self) -> Iterator[tuple[float, VideoFrame]]:
        """Decode what lies behind the last key frame, and look at the last frame of it."""
        waiting, self.waiting, self.bytes = self.waiting, [], 0
        last: VideoFrame | None = None
        for packet in waiting:
            try:
                last = next(reversed(self.video.stream.codec_context.decode(packet)), last)
            except av.FFmpegError:
                continue
        if last is not None and (at := _time_of(self.video, last)) - self.looked >= self.gap:
            yield from self._looked_at(at, last)

    def _looked_at(self, at: float, frame: VideoFrame) -> Iterator[tuple[float, VideoFrame]]:
        check_pixels((frame.width, frame.height), self.limits)
        self.looked = at
        yield at, frame
