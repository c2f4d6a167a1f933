"""Pictures of cameras: an event's snapshot, a person's face; as bytes, and what kind of picture they are."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from netaflux.core.errors import NotFound, TooLarge, Unreachable, UpstreamFault
from netaflux.core.model import Lane
from netaflux.http import LARGEST_ANSWER, Answer, Http
from netaflux.netatmo.camera_events import Picture
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.errors import OK

_GONE = frozenset({401, 403, 404, 410})
_AGAIN = "Addresses of pictures are good for some minutes: ask for the events again, then for the picture."
_SIGNATURES = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
)
_RIFF, _WEBP = b"RIFF", b"WEBP"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture's bytes, and its kind as a file's name ends in it: jpg, png, gif, webp."""

    content: bytes = field(repr=False)
    kind: str


async def fetched(picture: Picture, *, http: Http, client: NetatmoClient) -> Image:
    """The picture itself.

    Its host gets nothing but the address: no token, and no second question after a redirect. Raises NotFound
    where it has expired or is gone, TooLarge, UpstreamFault where what comes is no picture, and what a call
    raises.
    """
    if picture.url is None:
        return image_of(await _by_key(picture, client))
    if picture.expires is not None and picture.expires <= client.time.now():
        raise NotFound("the picture's address has expired", advice=_AGAIN)
    host = urlsplit(picture.url).hostname
    try:
        answer = await http.exchange("GET", picture.url)
    except TooLarge as error:
        raise TooLarge(f"the picture is too big: more than {LARGEST_ANSWER // 2**20} MiB") from error
    except Unreachable as error:
        # its message would hold the address's path
        raise Unreachable(f"{host} gives no answer for the picture", advice="Try again.") from error
    return image_of(answer)


def image_of(answer: Answer | None) -> Image:
    """The picture that an answer holds. Raises NotFound, UpstreamFault."""
    if answer is None:
        raise NotFound("Netatmo has no such picture", advice=_AGAIN)
    if answer.status in _GONE:
        raise NotFound(f"the picture is gone or has expired (HTTP {answer.status})", advice=_AGAIN)
    if answer.status != OK:
        raise UpstreamFault(f"the picture cannot be had (HTTP {answer.status})", status=answer.status)
    kind = kind_of(answer.body)
    if kind is None:
        raise UpstreamFault("what came is no picture of a kind that is known")
    return Image(answer.body, kind)


def kind_of(content: bytes) -> str | None:
    """What kind of picture these bytes are by their first ones, whatever the server calls them."""
    if content[:4] == _RIFF and content[8:12] == _WEBP:
        return "webp"
    return next((kind for begin, kind in _SIGNATURES if content.startswith(begin)), None)


async def _by_key(picture: Picture, client: NetatmoClient) -> Answer | None:
    """By the id and key of older answers, as getcamerapicture takes them."""
    params = {"image_id": picture.image_id or "", "key": picture.key or ""}
    return await client.download("getcamerapicture", params, lane=Lane.LIVE)
