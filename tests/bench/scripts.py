"""What netaflux is measured by: the same rows moved by a script that does nothing else.

    python -m tests.bench.scripts limit < world.json   16 fetches and 16 uploads side by side, bodies by hand
    python -m tests.bench.scripts plain < world.json   one call after the other, as a person would write it

Neither keeps a state, nor tries anything again. They are told what netaflux has to find out: the access
token, the modules, where rows begin and end, and how far apart they are.
"""

import asyncio
import json
import math
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import aiohttp
import orjson

SIDE_BY_SIDE = 16
PAGE = 1023


def formulas(celsius: float, humidity: float) -> tuple[float, float, float]:
    """Those of the notebook: Temp_F, RH, H2O_ppm."""
    logarithm = math.log(humidity / 100.0)
    b = (logarithm + ((17.27 * celsius) / (celsius + 237.3))) / 17.27
    dew = (237.3 * b) / (1 - b)
    pressure = 10 ** (8.1332 - (1762.39 / (dew + 235.66)))
    return ((celsius * 9.0) / 5.0) + 32.0, humidity, (pressure / 760.0) * 1000000


class Texts(dict[tuple[float, float], str]):
    """The cells of a row as they stand in the body, computed once for each (temperature, humidity)."""

    def __missing__(self, key: tuple[float, float]) -> str:
        text = self[key] = "%2C".join(map(repr, formulas(*key)))
        return text


def windows(world: dict[str, Any]) -> Iterator[tuple[str, str, int, int]]:
    """Device, module, and a page's window."""
    width = PAGE * world["step"]
    for begin in range(world["first"] - world["step"] // 2, world["last"] + 1, width):
        for device, module in world["devices"].items():
            yield device, module, begin, begin + width


async def limit(world: dict[str, Any]) -> None:
    """The bare pipeline."""
    texts, pages = Texts(), windows(world)
    uploads: asyncio.Queue[bytes | None] = asyncio.Queue(SIDE_BY_SIDE)
    api, upload = f"{world['netatmo']}/api/getmeasure", f"{world['fluxtream']}/api/bodytrack/upload"
    bearer = {"Authorization": f"Bearer {world['access']}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    channels = b"%5B%22Temp_F%22%2C%22RH%22%2C%22H2O_ppm%22%5D"

    async def fetch(session: aiohttp.ClientSession) -> None:
        for device, module, begin, end in pages:
            params = {"device_id": world["station"], "module_id": module, "scale": "max"}
            params |= {"type": "Temperature,Humidity", "optimize": "true", "real_time": "true"}
            params |= {"date_begin": str(begin), "date_end": str(end - 1)}
            async with session.get(api, params=params, headers=bearer) as response:
                segments = orjson.loads(await response.read())["body"]
            rows: list[str] = []
            for segment in segments:
                times, values = count(segment["beg_time"], segment.get("step_time", 0)), segment["value"]
                rows += [
                    f"%5B{time}%2C{texts[*cells]}%5D" for time, cells in zip(times, values, strict=False)
                ]
            head = b"dev_nickname=%b&channel_names=%b&data=%%5B" % (device.encode(), channels)
            await uploads.put(head + "%2C".join(rows).encode() + b"%5D")

    async def send(session: aiohttp.ClientSession) -> None:
        while body := await uploads.get():
            async with session.post(upload, data=body, headers=form) as response:
                if orjson.loads(await response.read())["result"] != "OK":
                    raise RuntimeError("an upload was refused")

    login = {"Authorization": aiohttp.encode_basic_auth(world["username"], world["password"])}
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        aiohttp.ClientSession() as netatmo,
        aiohttp.ClientSession(headers=login, cookie_jar=jar) as fluxtream,
    ):
        senders = [asyncio.create_task(send(fluxtream)) for _ in range(SIDE_BY_SIDE)]
        await asyncio.gather(*(fetch(netatmo) for _ in range(SIDE_BY_SIDE)))
        for _ in senders:
            await uploads.put(None)
        await asyncio.gather(*senders)


async def plain(world: dict[str, Any]) -> None:
    """A person's script: page after page, rows by their times, the form encoded by the library."""
    login = {"Authorization": aiohttp.encode_basic_auth(world["username"], world["password"])}
    async with aiohttp.ClientSession() as netatmo, aiohttp.ClientSession(headers=login) as fluxtream:
        for device, module, begin, end in windows(world):
            params = {"device_id": world["station"], "module_id": module, "scale": "max"}
            params |= {"type": "Temperature,Humidity", "optimize": "false", "real_time": "true"}
            params |= {"date_begin": str(begin), "date_end": str(end - 1)}
            bearer = {"Authorization": f"Bearer {world['access']}"}
            url = f"{world['netatmo']}/api/getmeasure"
            async with netatmo.get(url, params=params, headers=bearer) as response:
                body = (await response.json())["body"]
            if not body:
                continue
            data = [[int(time), *formulas(*cells)] for time, cells in body.items()]
            form = {
                "dev_nickname": device,
                "channel_names": json.dumps(["Temp_F", "RH", "H2O_ppm"]),
                "data": json.dumps(data),
            }
            async with fluxtream.post(f"{world['fluxtream']}/api/bodytrack/upload", data=form) as response:
                if (await response.json(content_type=None))["result"] != "OK":
                    raise RuntimeError("an upload was refused")


if __name__ == "__main__":
    script = {"limit": limit, "plain": plain}[sys.argv[1]]
    asyncio.run(script(json.load(sys.stdin)))
