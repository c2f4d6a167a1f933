"""Formulas of a person's own channels: numbers, names and a little arithmetic, and nothing else.

    text → (Python's grammar) → tree → (only what is listed here) → Formula → (simpleeval) → a number or a gap

The tree is checked whole before it is ever evaluated: so a mistake is found with the configuration and not
with the first row, and no formula, however it is meant, can take long, take memory, or reach anything.
"""

import ast
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from simpleeval import DEFAULT_OPERATORS, InvalidExpression, SimpleEval

from netaflux.core.errors import ConfigError
from netaflux.core.model import Number
from netaflux.core.near import did_you_mean

_LONGEST = 1000
"""Characters of a formula."""
_DEEPEST = 60
"""Expressions inside one another: well below Python's own limit, of which callers have used some."""
_WIDEST = 1024
"""Bits of a power that is still computed as a whole number; about the range of a double."""
_EXACT = 2**53
"""Whole numbers up to this size are doubles too; a larger one might be another number at a destination."""


class _Function(NamedTuple):
    """What may be called, and with how many values."""

    call: Callable[..., Number]
    fewest: int = 1
    most: int = 1


def _power(base: Number, exponent: Number) -> Number:
    """`**` that stays small: whole numbers only as far as a double reaches, and never a complex result."""
    if isinstance(base, int) and isinstance(exponent, int) and 0 <= exponent * base.bit_length() <= _WIDEST:
        power: int = base**exponent
        return power
    return math.pow(base, exponent)


def _rounded(value: Number, digits: Number = 0) -> Number:
    """`round`, by way of a double: a whole number's own would build 10 ** 1000000000 for as many digits."""
    if digits % 1:
        raise ValueError("there are no broken digits")
    if isinstance(value, int) and digits >= 0:
        return value
    return round(float(value), int(digits)) if digits else round(value)


_FUNCTIONS: Final[Mapping[str, _Function]] = MappingProxyType(
    {
        "sqrt": _Function(math.sqrt),
        "exp": _Function(math.exp),
        "log": _Function(math.log),
        "log10": _Function(math.log10),
        "sin": _Function(math.sin),
        "cos": _Function(math.cos),
        "tan": _Function(math.tan),
        "atan2": _Function(math.atan2, 2, 2),
        "radians": _Function(math.radians),
        "degrees": _Function(math.degrees),
        "floor": _Function(math.floor),
        "ceil": _Function(math.ceil),
        "round": _Function(_rounded, 1, 2),
        "min": _Function(min, 2, _LONGEST),
        "max": _Function(max, 2, _LONGEST),
        "abs": _Function(abs),
    }
)

_ARITHMETIC: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_SIGNS: Final = (ast.UAdd, ast.USub)
_COMPARISONS: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)

ALLOWED: Final = (
    "numbers, names of measures and channels, + - * / // % **, `a if b < c else d`, " + ", ".join(_FUNCTIONS)
)
"""All that a formula may hold, in words."""


class Formula:
    """A checked formula; calling it with the values of its `names`, in their order, evaluates it."""

    __slots__ = ("_evaluator", "_tree", "names", "text")

    def __init__(self, text: str) -> None:
        """Check the text. Raises ConfigError, whose message says what is wrong and where in the text."""
        self.text = text
        self._tree = _parsed(text)
        reader = _Reader(text)
        reader.read(self._tree)
        self.names: Mapping[str, str] = MappingProxyType(reader.names)
        """The names used, each with the place of its first use in words, such as "column 7"."""
        self._evaluator = SimpleEval(
            operators={kind: DEFAULT_OPERATORS[kind] for kind in (*_ARITHMETIC, *_SIGNS, *_COMPARISONS)}
            | {ast.Pow: _power},
            functions={name: function.call for name, function in _FUNCTIONS.items()},
            names={},
        )

    def __call__(self, *values: Number | None) -> Number | None:
        """The value; None (a gap) where an input is missing or arithmetic gives no finite number."""
        if None in values:
            return None
        self._evaluator.names = dict(zip(self.names, values, strict=True))
        try:
            return _settled(self._evaluator.eval(self.text, previously_parsed=self._tree))
        except (ArithmeticError, ValueError, InvalidExpression):  # the last are its own limits
            return None


def _settled(result: Number) -> Number | None:
    if isinstance(result, int) and abs(result) > _EXACT:
        result = float(result)
    return result if math.isfinite(result) else None


def _parsed(text: str) -> ast.expr:
    """The formula's tree by Python's grammar. It may go over several lines."""
    _check_characters(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only just understands (`1if`) is not understood here
            return ast.parse(_on_one_line(text), mode="eval").body
    except SyntaxError as error:
        at = _indent(text) + error.offset - 1 if error.offset else len(text.rstrip())
        raise ConfigError(f"{error.msg} ({_place(text, at)})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError("the formula cannot be read: it is nested too deep") from error


def _check_characters(text: str) -> None:
    if not text.strip():
        raise ConfigError("there is no formula")
    if len(text) > _LONGEST:
        raise ConfigError(f"the formula is longer than {_LONGEST} characters")
    for at, character in enumerate(text):
        if character == "#":  # without strings it can only begin a comment, which would swallow what follows
            raise ConfigError(f"a formula holds no comment ({_place(text, at)})")
        if not character.isprintable() and character not in "\t\r\n":
            raise ConfigError(
                f"the character U+{ord(character):04X} may not stand there ({_place(text, at)})"
            )


def _on_one_line(text: str) -> str:
    return text.lstrip().translate({ord("\n"): " ", ord("\r"): " "})


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _place(text: str, at: int) -> str:
    """A position in the text as a person counts."""
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    line = text.count("\n", 0, at) + 1
    return f"line {line}, column {column}" if "\n" in text.strip() else f"column {column}"


class _Reader:
    """Goes through a tree, refuses what is not allowed, and gathers the names."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.names: dict[str, str] = {}

    def read(self, node: ast.expr, depth: int = 0) -> None:
        """Raises ConfigError unless the node is a number made of nothing but what is allowed."""
        if depth > _DEEPEST:
            raise ConfigError(f"the formula is nested too deep ({self._place(node)})")
        for part in self._parts(node):
            self.read(part, depth + 1)

    def _parts(self, node: ast.expr) -> Iterable[ast.expr]:
        """The numbers that this number is made of."""
        match node:
            case ast.Constant(value=value) if type(value) is int or (
                type(value) is float and math.isfinite(value)
            ):
                return ()
            case ast.Name(id=name):
                self.names.setdefault(name, self._place(node))
                return ()
            case ast.UnaryOp(op=op, operand=operand) if isinstance(op, _SIGNS):
                return (operand,)
            case ast.BinOp(op=op, left=left, right=right) if isinstance(op, _ARITHMETIC):
                return (left, right)
            case ast.IfExp(test=ast.Compare() as test, body=body, orelse=otherwise):
                return (*self._compared(test), body, otherwise)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                self._check_call(node, name, len(arguments))
                return arguments
        raise self._not_allowed(node)

    def _compared(self, test: ast.Compare) -> Iterable[ast.expr]:
        if not all(isinstance(op, _COMPARISONS) for op in test.ops):
            raise self._not_allowed(test)
        return (test.left, *test.comparators)

    def _check_call(self, node: ast.expr, name: str, count: int) -> None:
        function = _FUNCTIONS.get(name)
        if function is None:
            near = did_you_mean(name, _FUNCTIONS)
            raise ConfigError(f"there is no function `{name}` ({self._place(node)}){near}")
        if not function.fewest <= count <= function.most:
            wants = f"{function.fewest} or more" if function.most == _LONGEST else f"{function.most}"
            raise ConfigError(f"`{name}` takes {wants} values, not {count} ({self._place(node)})")

    def _not_allowed(self, node: ast.expr) -> ConfigError:
        source = ast.get_source_segment(_on_one_line(self._text), node) or type(node).__name__
        return ConfigError(
            f"{source[:40]!r} may not stand there ({self._place(node)}); a formula holds {ALLOWED}"
        )

    def _place(self, node: ast.expr) -> str:
        before = _on_one_line(self._text).encode()[: node.col_offset]
        return _place(self._text, _indent(self._text) + len(before.decode()))
