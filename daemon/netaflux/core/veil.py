"""What tells who and where a person is, taken out of what they hand to others.

Secrets are `core/masking`'s business. Here it is names of places and people, addresses, coordinates, ids of
devices. A name becomes a number that stands for it everywhere, so a reader still sees what belongs together.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from netaflux.core.masking import MASK

_KEYS: Final = re.compile(
    r"e_?mail|user_?name|login|latitude|longitude|coordinates|location|altitude|city|street|country|time_?zone"
    r"|^(?:home|place|lat|lon|person|pseudo)$",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_MAC: Final = re.compile(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[0-9a-f:.]{7,}", re.IGNORECASE)
_COORDINATES: Final = re.compile(r"-?\d{1,3}\.\d{3,}\s*[,;]\s*-?\d{1,3}\.\d{3,}")


class Veil:
    """Knows the names that are not to be told."""

    def __init__(self, names: Iterable[str] = (), *, home: str = "") -> None:
        """`home` is the person's home directory, whose path holds their name."""
        self._home = home.rstrip("/")
        self._modules: dict[str, str] = {}
        known = sorted({part for name in names for part in _parts(name)}, key=lambda part: (-len(part), part))
        self._names = {name: f"name-{number}" for number, name in enumerate(known, 1)}
        # a name is one only as a whole: a home called "On" must not take half of every word along
        each = "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in known)
        self._known = re.compile(each, re.IGNORECASE) if each else None
        self._folded = {name.casefold(): told for name, told in self._names.items()}

    def text(self, text: str) -> str:
        """The text without them."""
        if self._home:
            text = text.replace(self._home, "~")
        # first, for a name may hold an address, and would not be known without it
        text = self._known.sub(self._name, text) if self._known else text
        text = _MAC.sub(self._module, _EMAIL.sub(MASK, text))
        return _ADDRESS.sub(_address, _COORDINATES.sub(MASK, text))

    def data(self, value: object, key: str = "") -> Any:  # noqa: ANN401 - plain data is anything
        """Plain data without them; under a key that speaks of a person or a place nothing is told."""
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.data(each, str(name)) for name, each in value.items()}
        if _KEYS.search(key) and value is not None and not isinstance(value, bool):
            return MASK
        if isinstance(value, list | tuple):
            return [self.data(each, key) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def _module(self, found: re.Match[str]) -> str:
        address = found[0].lower()
        return self._modules.setdefault(address, f"module-{len(self._modules) + 1}")

    def _name(self, found: re.Match[str]) -> str:
        return self._folded.get(found[0].casefold(), MASK)


def _address(found: re.Match[str]) -> str:
    """An address of the internet tells where somebody lives; one of a home's own network does not."""
    try:
        return MASK if ip_address(found[0].strip(".:")).is_global else found[0]
    except ValueError:
        return found[0]


def _parts(name: str) -> Iterable[str]:
    """The name, and what stands before and after each slash: a station's name may hold one itself."""
    if _MAC.fullmatch(name.strip()):
        return ()
    words = [part.strip() for part in name.split("/")]
    heads = ["/".join(words[:length]) for length in range(1, len(words) + 1)]
    # one sign tells nobody anything, and stands everywhere
    return {part for part in (name.strip(), *words, *heads) if len(part) > 1}
