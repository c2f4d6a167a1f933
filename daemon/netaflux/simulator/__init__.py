"""A small Netatmo and a small Fluxtream on loopback: the demo, and the tests' world.

    weather     a closed formula: any value from its time alone
    units       stations and modules, and what is odd about each; house holds them, history their rows
    homes       rooms and thermostats; heating answers about them, and sets what is ordered
    estate      houses ready to move into
    accounts    people and their tokens; oauth, stations, measures (with scales) answer for netatmo
    store       what the datastore takes and refuses; uploads, readback answer for fluxtream
    door        limits, ledger, faults and mishaps, the same for both servers
    world       all of it served; control pulls its strings from other processes
    compare     is what Fluxtream holds what Netatmo had?

It is a reading of both APIs of its own: it knows nothing of the client that it is there to test.
"""

from netaflux.simulator.accounts import ALL_SCOPES, Account
from netaflux.simulator.compare import ChannelReport, Difference, Mirror, compare
from netaflux.simulator.estate import demo_house, estate, home_coach
from netaflux.simulator.faults import Fault, Faults, Rule
from netaflux.simulator.fluxtream import Fluxtream, FluxtreamSettings, User
from netaflux.simulator.history import Row
from netaflux.simulator.homes import HeatedRoom, Home, Order, Unit, energy_home
from netaflux.simulator.house import House
from netaflux.simulator.limits import UNLIMITED, Limits
from netaflux.simulator.measures import Reading
from netaflux.simulator.netatmo import Netatmo, NetatmoSettings
from netaflux.simulator.oauth import App
from netaflux.simulator.stations import Showing
from netaflux.simulator.store import Cell, Store
from netaflux.simulator.units import Change, Late, Module, Span, Station, Uploads
from netaflux.simulator.world import Served, World, demo_world, serve, serve_forever

__all__ = [
    "ALL_SCOPES",
    "UNLIMITED",
    "Account",
    "App",
    "Cell",
    "Change",
    "ChannelReport",
    "Difference",
    "Fault",
    "Faults",
    "Fluxtream",
    "FluxtreamSettings",
    "HeatedRoom",
    "Home",
    "House",
    "Late",
    "Limits",
    "Mirror",
    "Module",
    "Netatmo",
    "NetatmoSettings",
    "Order",
    "Reading",
    "Row",
    "Rule",
    "Served",
    "Showing",
    "Span",
    "Station",
    "Store",
    "Unit",
    "Uploads",
    "User",
    "World",
    "compare",
    "demo_house",
    "demo_world",
    "energy_home",
    "estate",
    "home_coach",
    "serve",
    "serve_forever",
]
