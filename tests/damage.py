"""What becomes of good data on a bad day: trees with wrong values in them, bytes that nobody sent."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from hypothesis import strategies as st

Path = tuple[str | int, ...]

ODD_TEXTS = [
    "",
    "  ",
    "odd",
    "\x00",
    "\x1b[31mred\x9b0m",
    "\u202eback",
    "one\nline\r\nmore",
    "x" * 5000,
    "٣",
    "-1",
    "NaN",
    "%s{0}",
    "../../etc/passwd",
    "http://[::1",
]
ODD_NUMBERS = [
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    -(2**63),
    0.5,
    -0.0,
    1e308,
    -1e308,
    5e-324,
]
ODD: list[object] = [
    None,
    True,
    False,
    *ODD_NUMBERS,
    *ODD_TEXTS,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": 1},
    {"id": {}},
]
"""What JSON can say and nobody means."""

MARKS = [
    b"\x00",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"[",
    b"{",
    b"]",
    b"}",
    b'"',
    b"\\",
    b"\\ud800",
    b"NaN",
    b"Infinity",
]
MARKS += [
    b"1e999",
    b"9" * 400,
    b"[" * 1100,
    b'{"a":' * 1100,
    b"\r\n",
    b":",
    b",",
    b" ",
    b"%",
    b";",
    b"\xef\xbb\xbf",
]
"""What stands in bytes where it should not."""


def paths_in(tree: object, before: Path = ()) -> Iterator[Path]:
    """The way to everything in a tree but its root."""
    places: Any = (
        tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    )
    for key, value in places:
        yield (*before, key)
        yield from paths_in(value, (*before, key))


def place(tree: Any, path: Path) -> Any:
    """What stands there."""
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def damaged(draw: Callable[..., Any], tree: object, odd: Sequence[object] = ODD, most: int = 3) -> Any:
    """The tree with something wrong at one to `most` places: values others, gone, doubled, misplaced."""
    spoilt = deepcopy(tree)
    for _ in range(draw(st.integers(1, most))):
        paths = list(paths_in(spoilt))
        if paths:
            _spoil(draw, spoilt, draw(st.sampled_from(paths)), odd)
    return spoilt


def _spoil(draw: Callable[..., Any], tree: Any, path: Path, odd: Sequence[object]) -> None:
    holder, key = place(tree, path[:-1]), cast("Any", path[-1])
    match draw(st.sampled_from(["odd", "odd", "odd", "gone", "doubled", "wrapped", "renamed"])):
        case "odd":
            holder[key] = deepcopy(draw(st.sampled_from(odd)))
        case "gone":
            del holder[key]
        case "wrapped":
            holder[key] = [holder[key]]
        case "doubled" if isinstance(holder, list):
            holder.append(deepcopy(holder[key]))
        case _ if isinstance(holder, dict):
            holder[draw(st.sampled_from(ODD_TEXTS))] = holder.pop(key)


def bytes_like(raw: bytes) -> st.SearchStrategy[bytes]:
    """These bytes with some changed, gone, put in between, or cut off."""
    at = st.integers(0, len(raw))
    edits = st.one_of(
        st.tuples(at, st.just(0), st.sampled_from(MARKS) | st.binary(min_size=1, max_size=4)),
        st.tuples(at, st.integers(1, 12), st.sampled_from([b"", *MARKS]) | st.binary(max_size=4)),
        st.tuples(at, st.just(len(raw)), st.just(b"")),
    )
    return st.lists(edits, min_size=1, max_size=4).map(lambda made: _edited(raw, made))


def _edited(raw: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    for at, gone, come in edits:
        raw = raw[:at] + come + raw[at + gone :]
    return raw


def written(tree: object) -> bytes:
    """A tree as JSON, in bytes."""
    return json.dumps(tree).encode()


def bodies(tree: object) -> st.SearchStrategy[bytes]:
    """JSON in place of this tree: damaged in what it says or in its bytes, or encoded oddly."""
    spoilt = damaged(tree).map(written)
    odd = st.sampled_from([written(tree).decode().encode(code) for code in ("utf-16", "utf-32", "utf-8-sig")])
    return spoilt | bytes_like(written(tree)) | odd
