"""A video file -> what it says of itself, and a decoder for its pictures. Never more than a part of it is in memory.

Only containers of `_CONTAINERS` are opened: other texts and lists, whatever their names, could lead to other files.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO, Final, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits, check_pixels

logger = logging.getLogger(__name__)

AnyPacket: TypeAlias = "Packet[Any]"

_CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"
_BUFFER: Final = 2**18  # bytes read at once
_SECOND: Final = 1_000_000  # of a container's times
_ASPECTS: Final = (0.1, 10.0)  # width of a pixel by its height, beyond which a file is wrong about it


@dataclass(slots=True, eq=False)
class Video:
    """An opened video. `duration` is in seconds, 0 where neither the file says nor its packets do."""

    container: InputContainer
    stream: VideoStream
    format: str  # one of VIDEO_FORMATS
    aspect: float  # width of a pixel by its height
    start: float  # seconds, of the container, by its own clock
    duration: float
    ended: bool = False  # whether its packets ended before they were all read, for what is damaged

    def packets(self, *, of_all: bool = False) -> Iterator[AnyPacket]:
        """Yield the packets from here on, those of sound and others too if `of_all`; damage ends them."""
        try:
            yield from self.container.demux() if of_all else self.container.demux(self.stream)
        except (av.FFmpegError, IndexError):  # the second: of a stream that turns up on the way
            logger.debug("the packets of a video end early", exc_info=True)
            self.ended = True

    def time_of(self, packet: AnyPacket) -> float | None:
        """Return when a packet is shown, in seconds from the beginning; None where it does not say."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or packet.time_base is None:
            return None
        return max(0.0, float(stamp * packet.time_base) - self.start)

    def seek(self, at: float) -> None:
        """Go to the key frame before a time in seconds. Where that cannot be, the place stays what it was."""
        with suppress(av.FFmpegError):
            self.container.seek(int((at + self.start) * _SECOND))
        self.stream.codec_context.flush_buffers()

    def decode_key(self, packet: AnyPacket) -> VideoFrame | None:
        """Return the picture of a key packet, which needs no other; None where it is damaged."""
        context = self.stream.codec_context
        context.flush_buffers()  # of frames that wait for those behind them
        try:
            frames = [*context.decode(packet), *context.decode(None)]
        except av.FFmpegError:
            logger.debug("a key frame could not be decoded", exc_info=True)
            frames = []
        context.flush_buffers()
        return frames[0] if frames else None


@contextmanager
def open_video(file: BinaryIO, limits: DecodeLimits) -> Iterator[Video]:
    """Open a video that is read from a file, for as long as it is looked at.

    Raises DecodeError (empty_file, not_a_video, no_moving_pictures, truncated, corrupt, unsupported) or ImageTooLarge.
    """
    file.seek(0)
    head = file.read(64)
    if not head:
        raise DecodeError("empty_file")
    try:
        with _open(file, limits) as container:
            video = _prepare(container, head, limits)
            if video.duration:
                yield video
                return
            duration = _measure(video)
        with _open(file, limits) as container:  # from the beginning, which not every container can be led back to
            video = _prepare(container, head, limits)
            video.duration = duration
            yield video
    except DecodeError:
        raise
    except av.FFmpegError as error:
        raise _explain(error, head) from error


def _open(file: BinaryIO, limits: DecodeLimits) -> InputContainer:
    file.seek(0)
    return av.open(
        file,
        "r",
        options={"format_whitelist": _CONTAINERS, "max_pixels": str(limits.max_pixels)},
        buffer_size=_BUFFER,
        metadata_encoding="utf-8",
        metadata_errors="replace",
    )


def _measure(video: Video) -> float:
    """Return how long a video is that does not say so, as what a browser records: when its last packet is shown."""
    times = (video.time_of(packet) for packet in video.packets() if packet.size)
    return max((at for at in times if at is not None), default=0.0)


def _prepare(container: InputContainer, head: bytes, limits: DecodeLimits) -> Video:
    streams = [one for one in container.streams.video if not _is_cover(one)]
    if not streams:
        raise DecodeError("no_moving_pictures")
    stream = streams[0]
    context: Any = stream.codec_context
    if context is None:  # there is no decoder for it
        raise DecodeError("unsupported")
    if not context.width or not context.height:
        raise DecodeError("unsupported", _codec_name(stream))
    check_pixels((context.width, context.height), limits)
    context.thread_count = 1  # several files are decoded side by side, in worker processes
    context.options = {"max_pixels": str(limits.max_pixels)}
    start: Any = container.start_time  # None where no packet has a time
    return Video(
        container=container,
        stream=stream,
        format=_format_of(container, head),
        aspect=_aspect_of(stream),
        start=(start or 0) / _SECOND,
        duration=_duration_of(container, stream),
    )


def _is_cover(stream: VideoStream) -> bool:
    """Say whether a stream is a picture that belongs to music."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _codec_name(stream: VideoStream) -> str:
    return stream.codec_context.name


def _aspect_of(stream: VideoStream) -> float:
    found: Fraction | None = stream.sample_aspect_ratio
    aspect = float(found) if found else 1.0
    return aspect if _ASPECTS[0] <= aspect <= _ASPECTS[1] else 1.0


def _duration_of(container: InputContainer, stream: VideoStream) -> float:
    if container.duration is not None and container.duration > 0:
        return container.duration / _SECOND
    base: Any = stream.time_base
    return max(0.0, float((stream.duration or 0) * (base or 0)))


def _format_of(container: InputContainer, head: bytes) -> str:
    name = container.format.name
    if name.startswith("matroska"):
        return "webm" if b"webm" in head else "mkv"
    if name.startswith("mov"):
        brand = head[8:12]
        return "mov" if brand == b"qt  " or head[4:8] != b"ftyp" else "3gp" if brand.startswith(b"3g") else "mp4"
    return {"avi": "avi", "mpegts": "ts"}.get(name, "mp4")


_BEGINNINGS: Final = (b"\x1aE\xdf\xa3", b"RIFF", b"G")


def _explain(error: av.FFmpegError, head: bytes) -> DecodeError:
    if head[4:8] in {b"ftyp", b"mdat", b"moov", b"wide", b"free"}:
        return DecodeError("truncated" if isinstance(error, av.InvalidDataError | av.EOFError) else "corrupt")
    if isinstance(error, av.DecoderNotFoundError):
        return DecodeError("unsupported", error.strerror or "")
    return DecodeError("corrupt" if head.startswith(_BEGINNINGS) else "not_a_video")
