"""The front door for programs: one person's Netatmo, opened with tokens of their own and no daemon.

The daemon has the same object for each of its accounts, over the same parts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self

from pydantic import SecretStr

from netaflux.clocks import RealClock
from netaflux.core.errors import NotAuthorized
from netaflux.core.events import Event
from netaflux.core.limits import limits
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.core.model import AccountName, Lane, Window
from netaflux.core.ports import Clock, Observer
from netaflux.core.tokens import TokenPair
from netaflux.http import Fields, Http
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.energy import Energy
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.extremes import Extremes, Frame, extremes_of, frame_of
from netaflux.netatmo.gate import Budget
from netaflux.netatmo.housing import Housing
from netaflux.netatmo.memory import BudgetsInMemory, TokensInMemory
from netaflux.netatmo.oauth import TokenEndpoint
from netaflux.netatmo.scope import World
from netaflux.netatmo.security import Security
from netaflux.netatmo.sensors import Sensor
from netaflux.netatmo.tokens import TokenKeeper
from netaflux.netatmo.weather import Unit, Weather, asked_of
from netaflux.netatmo.weather_home import WeatherHome, weather_of

API_URL: Final = "https://api.netatmo.com"
PER_10_SECONDS, PER_HOUR = 40, 400
"""Calls that are made at most; Netatmo's guide grants a user 50 and 500."""
_OWNER: Final = AccountName("default")

Save = Callable[[TokenPair], Awaitable[None]]
"""Keeps a new pair: what it has returned from must survive whatever comes."""


class Netatmo:
    """What one person's Netatmo has to say.

    Every method that asks Netatmo raises NetatmoError, Unreachable, NotAuthorized, StateError.
    """

    def __init__(self, client: NetatmoClient, keeper: TokenKeeper, http: Http) -> None:
        self.client = client
        self.http = http
        """For what Netatmo's answers point to outside of its API, such as pictures."""
        self.housing = Housing(client)
        """The homes, with all that is in them."""
        self.energy = Energy(client, self.housing, lambda: keeper.scopes)
        """Thermostats, valves, their schedules, and what they shall do."""
        self.security = Security(client, http, self.housing, lambda: keeper.scopes)
        """Cameras, persons, events and pictures."""
        self._keeper = keeper
        self._weather = Weather(client)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        save: Save,
        api_url: str = API_URL,
        clock: Clock | None = None,
        observer: Observer | None = None,
    ) -> AsyncIterator[Self]:
        """Spend the refresh token on a first pair, and be ready for calls.

        A refresh token is good for one use: each use brings a new pair and kills the old one. `save` is
        awaited with every new pair before it is used; begin next time with the `refresh` it was given last.
        Should it fail, no call is made until it has succeeded.

        `api_url` is another server than Netatmo's own, such as `netaflux simulate`; `observer` is told what
        happens, in events. Raises NotAuthorized, Unreachable, UpstreamFault, StateError.
        """
        clock, observer = clock or RealClock(), observer or _Nobody()
        world = World(store=BudgetsInMemory(), clock=clock, boot="this process", observer=observer)
        most = limits(PER_10_SECONDS, PER_HOUR)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(Http.open())
            budget = await stack.enter_async_context(Budget.open(app=most, account=most, world=world))
            secret = SecretStr(client_secret)
            endpoint = TokenEndpoint(
                http, api_url=api_url, client_id=client_id, client_secret=secret, clock=clock
            )
            keeper = TokenKeeper(
                _OWNER,
                endpoint=endpoint,
                store=TokensInMemory(save),
                clock=clock,
                observer=observer,
                client_id=client_id,
                seed=SecretStr(refresh_token),
            )
            stack.push_async_callback(keeper.close)
            client = NetatmoClient(
                _OWNER,
                http=http,
                api_url=api_url,
                keeper=keeper,
                gate=await budget.gate(_OWNER),
                clock=clock,
                observer=observer,
            )
            netatmo = cls(client, keeper, http)
            await netatmo.valid_token()
            yield netatmo

    # the tokens

    async def valid_token(self) -> str:
        """An access token that is good now, renewed if necessary."""
        return (await self._keeper.valid_pair()).access

    @property
    def access_token(self) -> str:
        """The access token of the newest pair, good until `expires_at`; `valid_token` renews it."""
        return self._pair.access

    @property
    def refresh_token(self) -> str:
        """The refresh token of the newest pair; it changes with every refresh."""
        return self._pair.refresh

    @property
    def expires_at(self) -> float:
        """When the access token expires, unix seconds."""
        return self._pair.expires_at

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the person has granted, such as `read_station`."""
        return self._pair.scopes

    @property
    def _pair(self) -> TokenPair:
        if self._keeper.pair is None:
            raise NotAuthorized("There are no tokens of this account yet")
        return self._keeper.pair

    # the API

    def now(self) -> float:
        """Netatmo's time, unix seconds, as far as its answers have told it."""
        return self.client.time.now()

    async def call(
        self,
        endpoint: str,
        params: Fields | None = None,
        *,
        write: bool = False,
        lane: Lane = Lane.LIVE,
    ) -> Envelope:
        """Netatmo's whole answer to any call of its API; one that writes is never sent twice."""
        return await self.client.call(endpoint, params or {}, lane=lane, write=write)

    # the weather

    async def weather(self, *, favorites: bool = False) -> WeatherHome:
        """The stations and modules as they are now, with their newest values; favourites too, if asked for.

        Those are other people's stations. Raises NoDevice where there is none at all.
        """
        asked = {"get_favorites": "true"} if favorites else {}
        return weather_of(await self.call("getstationsdata", asked), self.now())

    async def home_coaches(self) -> WeatherHome:
        """The Home Coaches, which are stations without modules. Raises NoDevice where there is none."""
        return weather_of(await self.call("gethomecoachsdata"), self.now(), "Home Coach")

    async def measure(
        self,
        sensor: Unit,
        types: Sequence[str],
        scale: str = "max",
        *,
        begin: int | None = None,
        end: int | None = None,
        limit: int | None = None,
        optimize: bool = False,
        real_time: bool = True,
    ) -> Envelope:
        """The answer of getmeasure, as it is: at most 1024 rows, the oldest from `begin` on, unix seconds.

        Without `real_time` Netatmo moves the times of coarser scales by half their width. Raises UsageError
        for a sensor without an id.
        """
        params = {
            **asked_of(sensor),
            "scale": scale,
            "type": ",".join(types),
            "optimize": str(optimize).lower(),
            "real_time": str(real_time).lower(),
        }
        numbers = {"date_begin": begin, "date_end": end, "limit": limit}
        params |= {name: str(number) for name, number in numbers.items() if number is not None}
        return await self.call("getmeasure", params)

    async def min_max(self, sensor: Sensor, frame: Frame = "last24", *, now: float | None = None) -> Extremes:
        """The lowest and highest temperature and humidity of the last 24 hours, or of the station's own day.

        `now` is when these end, or a moment of that day; by default the present. A sensor that measures
        neither has none. Raises UsageError for a sensor without an id.
        """
        window = frame_of(frame, self.now() if now is None else now, sensor.timezone)
        measures = [measure for measure in (TEMPERATURE, HUMIDITY) if measure in sensor.measures]
        # what is yet to come cannot have been measured, whatever a device's clock says
        until = min(window.end or 0, int(self.now()) + 1)
        if not measures or until <= window.begin:
            return Extremes(window=window)
        rows = [row async for row in self._weather.rows(sensor, measures, Window(window.begin, until))]
        return extremes_of(rows, measures, window)


class _Nobody:
    """An observer that nobody asked for."""

    def tell(self, event: Event) -> None:
        """Let it pass."""
