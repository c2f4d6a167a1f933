"""Answers of the simulated servers: JSON, pages, and Netatmo's errors by (status, code)."""

from typing import Any

import orjson
from aiohttp import hdrs, web


def answered(body: bytes, now: float) -> web.Response:
    """A good answer around a body that is JSON already."""
    envelope = b'{"body":%b,"status":"ok","time_exec":0.02,"time_server":%d}'
    return web.Response(body=envelope % (body, int(now)), content_type="application/json", charset="utf-8")


def json_answer(body: Any, status: int = 200) -> web.Response:  # noqa: ANN401 - whatever can be JSON
    """Any JSON."""
    return web.Response(
        body=orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS),
        status=status,
        content_type="application/json",
        charset="utf-8",
    )


def empty_answer(status: int) -> web.Response:
    """A status and no body."""
    return web.Response(status=status)


def html_answer(status: int, title: str) -> web.Response:
    """A page of the proxy in front."""
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n"
    return web.Response(text=page, status=status, content_type="text/html")


def bad_credentials() -> web.Response:
    """Fluxtream's refusal of a wrong login."""
    response = html_answer(401, "Bad credentials")
    response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Fluxtream"'
    return response


class ApiError(Exception):
    """What the API answers instead: a status and a code, which mean something only together."""

    def __init__(self, status: int, code: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    @property
    def answer(self) -> web.Response:
        """As it goes over the wire."""
        response = json_answer({"error": {"code": self.code, "message": self.message}}, self.status)
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response
