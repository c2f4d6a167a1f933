"""What goes wrong on request: rules that say what strikes, where, and how often."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from signal import SIGKILL
from typing import Any


class Fault(StrEnum):
    """The kinds of mishap, in four groups."""

    # answered instead of doing anything
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    UNAVAILABLE = "503/50"
    HTML_200 = "200 html"
    HTML_403 = "403 html"
    UNAUTHORIZED = "401"
    QUOTA_403 = "403/26"
    QUOTA_429 = "429/26"
    BUSY = "429/11"
    INVALID_GRANT = "invalid_grant"
    ERRORS = "body.errors"
    HOME_ERRORS = "body.home.errors"
    # the connection, before or after the work was done
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    HANG_BEFORE = "hang before"
    HANG_AFTER = "hang after"
    DRIP = "drip"
    TRUNCATED = "truncated"
    # what only the store can do wrong
    KO = "KO"
    SWALLOWED = "swallowed"
    # the client's process is killed, the call goes on
    KILL_BEFORE = "kill before"
    KILL_DONE = "kill done"
    KILL_ANSWERED = "kill answered"


KILLS = frozenset({Fault.KILL_BEFORE, Fault.KILL_DONE, Fault.KILL_ANSWERED})


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault, and whom it strikes: of the calls that match all but the first `after`, `times` at most."""

    fault: Fault
    where: str = "*"
    """A pattern for the path, such as `/api/*`."""
    user: str | None = None
    """Only calls of this account, or of this login at the store."""
    holding: str | None = None
    """Only calls with this text in a parameter, such as a module's id."""
    after: int = 0
    times: int | None = None
    share: float = 1
    """How likely it strikes when it could."""
    retry_after: int | None = None
    """The `Retry-After` header of a refusal."""
    seconds: float = 0
    """How long a drip takes, or how long after the moment a process is killed."""
    pid: int = 0
    signal: int = int(SIGKILL)
    seen: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        self.fault = Fault(self.fault)
        # the kernel takes 0 and below for whole groups of processes, our own among them
        if self.fault in KILLS and self.pid <= 1:
            raise ValueError(f"{self.fault.value} needs the pid of a process")

    def matches(self, endpoint: str, user: str, params: Mapping[str, str]) -> bool:
        """Whether the call is of the kind that this rule is about."""
        return (
            fnmatchcase(endpoint, self.where)
            and (self.user is None or self.user == user)
            and (self.holding is None or any(self.holding in text for text in params.values()))
        )

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.times is not None and self.struck >= self.times


@dataclass(slots=True)
class Faults:
    """The rules in force; the first one that is due strikes."""

    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each fault has struck, by (fault, path); kept when rules go."""
    _chance: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._chance = Random(self.seed)  # noqa: S311 - a test wants the same chance again

    def add(self, fault: Fault | str, where: str = "*", **how: Any) -> Rule:  # noqa: ANN401 - a Rule's fields
        """Put a rule in force. Raises ValueError, TypeError."""
        rule = Rule(fault=Fault(fault), where=where, **how)
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """No more faults."""
        self.rules.clear()

    def count(self, fault: Fault | str, where: str = "*") -> int:
        """How often a fault has struck calls of these paths."""
        kind = Fault(fault)
        return sum(n for (one, path), n in self.struck.items() if one == kind and fnmatchcase(path, where))

    def strike(self, endpoint: str, user: str, params: Mapping[str, str]) -> Rule | None:
        """The rule that strikes this call, counted."""
        for rule in self.rules:
            if rule.spent or not rule.matches(endpoint, user, params):
                continue
            rule.seen += 1
            if rule.seen > rule.after and (rule.share >= 1 or self._chance.random() < rule.share):
                rule.struck += 1
                self.struck[rule.fault.value, endpoint] += 1
                return rule
        return None
