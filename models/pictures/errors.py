"""Why bytes are not a picture that can be used.

EncoderError                            models/foundation/errors.py
└─ DecodeError                          bytes that are not a picture we can read
   └─ ImageTooLarge                     more bytes or pixels than allowed
"""

from models.foundation.errors import EncoderError
from models.foundation.messages import Message, Word, mark, message, recognise, verbatim

# Why a file is not in the index: `{detail}` holds the fact that belongs to it.
DECODE_REASONS: dict[str, str] = {
    "empty_file": mark("the file is empty (0 bytes)"),
    "not_an_image": mark("not a picture in a format that can be read"),
    "truncated": mark("the file is cut short: the picture data ends too early"),
    "corrupt": mark("the picture data is damaged"),
    "unread": mark("pictures of this kind are not read: {detail}"),
    "needs_formats": mark("pictures of this kind need the extra formats: pip install 'xuntu[formats]' ({detail})"),
    "needs_video": mark("videos need the extra video: pip install 'xuntu[video]' ({detail})"),
    "is_a_video": mark("this is a video, and a picture is wanted: take a frame of it"),
    "not_a_video": mark("not a video in a format that can be read"),
    "no_moving_pictures": mark("there are no moving pictures in it, sound at most"),
    "video_elsewhere": mark("videos are read where each is a file of this machine, not from archives or addresses"),
    "unsupported": mark("this variant of its format is not supported: {detail}"),
    "out_of_memory": mark("not enough memory to decode it"),
    "too_much_memory": mark("decoding it takes more memory than there is for pictures: {detail}"),
    "too_many_pixels_together": mark("the pictures of the request have too many pixels together: {detail}"),
    "too_slow": mark("decoding it was given up after {detail} s"),
    "too_many_pixels": mark("too many pixels: {detail}"),
    "too_many_bytes": mark("the file is too big: {detail}"),
    "not_a_regular_file": mark("not a regular file: {detail}"),
    "not_found": mark("the file is gone, or is a link to nothing"),
    "changed": mark("the file has changed since it was indexed"),
    "linked_away": mark("it is a link that leads out of its folder"),
    "permission_denied": mark("no permission to read the file"),
    "crashed": mark("reading the file crashed the decoder"),
    "io_error": mark("the file could not be read: {detail}"),
    "storage_unavailable": mark("its object storage cannot be reached: {detail}"),
    "address": mark("this is an address, and a file of this machine is wanted: save the picture first"),
    "offline": mark("XUNTU_OFFLINE is set, so it was not fetched"),
    "url_unreachable": mark("the address cannot be reached: {detail}"),
    "url_timeout": mark("the address has not answered within {detail} s"),
    "url_status": mark("the address answers {detail}"),
    "url_redirects": mark("the address leads in circles, or away from http: {detail}"),
    "url_inside": mark(
        "it leads inside this machine or network, where lists may not lead unless it is allowed: {detail} "
        "(--allow-private HOST, or XUNTU_ALLOW_PRIVATE)"
    ),
    "url_insecure": mark("the address leads from https to http, where anybody on the way can change it: {detail}"),
    "url_proxy": mark(
        "there is a proxy for {detail}, which looks up names itself, so that nothing keeps lists out of this network. "
        "Fetch through it all the same: XUNTU_FETCH_THROUGH_PROXY=1; or without it: NO_PROXY=*"
    ),
    "url_web_page": mark("a web page came instead of a picture"),
    "url_invalid": mark("not an address that can be fetched: {detail}"),
    "base64": mark("its base64 text is damaged"),
    "row_unreadable": mark("this row cannot be read, or is not a JSON object"),
    "row_without_picture": mark("this row names no picture"),
    "row_without_caption": mark("this row has no caption"),
}


# Kinds of addresses that are inside this machine or network.
INSIDE: dict[str, str] = {
    "machine": mark("{host} leads to {address}, which is this machine"),
    "link": mark("{host} leads to {address}, which is on the link of this machine (link-local)"),
    "private": mark("{host} leads to {address}, which is in a private network"),
    "shared": mark("{host} leads to {address}, which is in the network of a provider (carrier-grade NAT)"),
    "multicast": mark("{host} leads to {address}, which is a multicast address"),
    "reserved": mark("{host} leads to {address}, which is a reserved address"),
    "metadata": mark("{host} leads to {address}, where clouds keep secrets of a machine; only {itself} can be allowed"),
}
# Of these the file is not the cause alone: who decodes it allows no more, or was interrupted.
SERVICE_REASONS = frozenset({"out_of_memory", "too_much_memory", "too_many_pixels_together", "too_slow", "crashed"})

_DETAILS = (
    *INSIDE.values(),
    mark("{width} x {height} = {megapixels} megapixels, limit {limit}"),
    mark("{size} MiB, limit {limit}"),
    mark("{megapixels} megapixels, limit {limit}"),
    mark("link to {name}"),
    mark("directory"),
    mark("device"),
    mark("sparse file"),
)


def decode_reason(code: str, detail: str = "") -> Message:
    """Return why a picture cannot be used, as a part of a sentence. `code` is a key of DECODE_REASONS."""
    return Message(DECODE_REASONS[code], {"detail": recognise(detail, _DETAILS) or Word(detail)})


class DecodeError(EncoderError):
    """Bytes that are not a picture we can read. `reason` is a key of DECODE_REASONS."""

    code = "unreadable_image"
    users_mistake = True

    def __init__(self, reason: str, detail: str = "", *, name: str = "") -> None:
        self.reason, self.detail, self.why = reason, detail, decode_reason(reason, detail)
        it = verbatim(name) if name else message("The picture")
        super().__init__(message("{it} cannot be used: {why}.", it=it, why=self.why))

    def named(self, name: str) -> "DecodeError":
        """Return the same error with the name of the file in its sentence."""
        return type(self)(self.reason, self.detail, name=name)


class ImageTooLarge(DecodeError):
    """More bytes or pixels than allowed; found before any pixel is decoded."""

    code = "image_too_large"
