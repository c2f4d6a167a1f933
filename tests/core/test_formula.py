"""Formulas of one's own: what they may say, what they come to, and that nothing else gets through."""

import ast
import math
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netaflux.core.errors import ConfigError
from netaflux.core.formula import Formula
from netaflux.core.model import Number

MASS = 12345678901234567890


class Term(NamedTuple):
    """A formula beside the same thing as a plain Python function: what it must come to."""

    text: str
    of: Callable[[Mapping[str, Number]], Number]


def value(text: str, **inputs: Number | None) -> Number | None:
    formula = Formula(text)
    return formula(*(inputs[name] for name in formula.names))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * 2", 13),
        ("(a + b) * 2", 20),
        ("a - b - 1", 3),
        ("a / b", 7 / 3),
        ("a // b", 2),
        ("a % b", 1),
        ("a ** b", 343),
        ("-a + +b", -4),
        ("2 ** 0.5", math.sqrt(2)),
        ("2 ** -1", 0.5),
        ("a if a > b else b", 7),
        ("a if a < b else b", 3),
        ("1 if 3 <= b < a != 8 else 0", 1),
        ("1 if a == 7.0 else 0", 1),
        ("sqrt(a + 9)", 4.0),
        ("exp(0) + log(1) + log10(1000)", 4.0),
        ("sin(0) + cos(0) + tan(0)", 1.0),
        ("degrees(atan2(1, 1))", math.degrees(math.atan2(1, 1))),
        ("radians(180)", math.pi),
        ("floor(a / b) + ceil(a / b)", 5),
        ("round(a / b, 2)", 2.33),
        ("round(a / b)", 2),
        ("round(1234.5, -2)", 1200.0),
        ("round(a, 3)", 7),
        ("round(a / b, -10 ** 300)", 0.0),
        ("round(a / b, 10 ** 300)", 7 / 3),
        ("min(a, b, 5) + max(a, b)", 10),
        ("abs(b - a)", 4),
        ("1_000 + 0x10 + 1e3", 2016.0),
        ("  a\n  + b\n", 10),
        ("a\r\n+ b", 10),
    ],
)
def test_a_formula_comes_to_what_python_says(text: str, expected: Number) -> None:
    result = Formula(text)(*({"a": 7, "b": 3}[name] for name in Formula(text).names))

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "no formula"),
        (" \n\t", "no formula"),
        ("a +", "column 4"),
        ("(a + b", "column 1"),
        ("  a b", "column 5"),
        ("(a + b) * ", "column 10"),
        ("a + 'text'", "'text'\" may not stand there (column 5)"),
        ('f"{a}"', "column 1"),
        ("b'x'", "column 1"),
        ("True", "column 1"),
        ("a + None", "column 5"),
        ("a + ...", "column 5"),
        ("2j * a", "column 1"),
        ("1e999 * a", "column 1"),
        ("a.real", "'a.real' may not stand there (column 1)"),
        ("a.__class__.__mro__", "column 1"),
        ("a[0]", "column 1"),
        ("[a]", "column 1"),
        ("(a, b)", "column 1"),
        ("{a: b}", "column 1"),
        ("[x for x in a]", "column 1"),
        ("lambda: a", "column 1"),
        ("(c := a)", "column 2"),
        ("a < b", "column 1"),
        ("a + (a < b)", "column 6"),
        ("a if b else 1", "column 1"),
        ("1 if a in b else 2", "column 6"),
        ("1 if a is b else 2", "column 6"),
        ("a and b", "column 1"),
        ("not a", "column 1"),
        ("~a", "column 1"),
        ("a << b", "column 1"),
        ("a | b", "column 1"),
        ("a @ b", "column 1"),
        ("a = 1", "column"),
        ("a; b", "column 2"),
        ("import os", "column 1"),
        ("__import__('os')", "no function `__import__` (column 1)"),
        ("b + sqr(a)", "no function `sqr` (column 5); did you mean `sqrt`?"),
        ("eval(a)", "no function `eval`"),
        ("a(1)", "no function `a`"),
        ("sqrt(a)(b)", "column 1"),
        ("a.sqrt(b)", "column 1"),
        ("sqrt(x=a)", "column 1"),
        ("max(a, b, key=b)", "'max(a, b, key=b)' may not stand there (column 1)"),
        ("max(*a)", "column 1"),
        ("max(*a, b)", "column 5"),
        ("max(a)", "`max` takes 2 or more values, not 1 (column 1)"),
        ("sqrt()", "`sqrt` takes 1"),
        ("log(a, b)", "`log` takes 1"),
        ("a + 1  # celsius", "no comment (column 8)"),
        ("1if a < b else 2", "column"),
        ("ä + 'x'", "column 5"),
        ("a +\n  'x'", "line 2, column 3"),
        ("a + b\n  + * b", "line 2, column 5"),
        ("a\0b", "U+0000 may not stand there (column 2)"),
        ("a +\u00a0b", "U+00A0 may not stand there (column 4)"),
        ("a" * 1001, "longer than 1000"),
        ("-" * 900 + "a", "nested too deep"),
        ("+".join(["a"] * 400), "nested too deep"),
        ("(" * 400 + "a" + ")" * 400, "nested|column"),
        ("9" * 900 + "e" + "9" * 90, "may not stand there"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Formula(text)

    assert any(words in caught.value.message for words in place.split("|"))


@pytest.mark.parametrize("surrender", [RecursionError, MemoryError, ValueError])
def test_where_python_itself_gives_up_the_formula_is_refused(
    surrender: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of Python differ in what they can take."""

    def parse(_text: str, mode: str) -> ast.expr:
        raise surrender(mode)

    monkeypatch.setattr(ast, "parse", parse)

    with pytest.raises(ConfigError, match="nested too deep"):
        Formula("a")


def test_a_refused_formula_cannot_write_to_the_terminal() -> None:
    with pytest.raises(ConfigError) as caught:
        Formula("a + '\x1b[2J'")

    assert caught.value.message.isprintable()


def test_the_names_are_known_with_their_first_places() -> None:
    formula = Formula("  (Temperature * 1.8 + 32)\n - Dew_F + Temperature")

    assert dict(formula.names) == {"Temperature": "line 1, column 4", "Dew_F": "line 2, column 4"}


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("1 / a", {"a": 0}),
        ("a % b", {"a": 1, "b": 0}),
        ("a // 0", {"a": 1.5}),
        ("0 ** a", {"a": -1}),
        ("sqrt(a)", {"a": -1}),
        ("log(a)", {"a": 0}),
        ("log10(a)", {"a": -0.0}),
        ("a ** 0.5", {"a": -8}),
        ("a ** a", {"a": 1e200}),
        ("a * a", {"a": 1e200}),
        ("exp(a)", {"a": 1000}),
        ("a * 1e308 - a * 1e308", {"a": 1e10}),
        ("floor(a * 1e308)", {"a": 1e10}),
        ("round(a, 0.5)", {"a": 1}),
        ("9 ** 9 ** 9 ** a", {"a": 9}),
        ("a ** 400", {"a": MASS}),
        ("a + b", {"a": 1, "b": None}),
        ("a if a < 2 else b", {"a": 1, "b": None}),
    ],
)
def test_where_arithmetic_has_no_answer_there_is_a_gap(text: str, inputs: dict[str, Number | None]) -> None:
    assert value(text, **inputs) is None


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9 ** 9 + a",
        "(2 ** 1000) ** 1000 + a",
        "4000000 ** 4000000 * a",
        "round(5, -1000000000) + a",
        "round(a, -1e300)",
        "round(a, 10 ** 300)",
        " * ".join(["(9 ** 300 * a)"] * 50),
        "1 // 9 ** 999999999 + a",
    ],
)
def test_no_formula_takes_long(text: str) -> None:
    """Each would keep a naive evaluator busy for minutes, or fill its memory."""
    begin = time.process_time()
    result = value(text, a=7)

    assert time.process_time() - begin < 1
    assert result is None or math.isfinite(result)


def test_whole_numbers_that_are_no_doubles_become_doubles() -> None:
    assert value("a ** 2", a=3) == 9
    assert type(value("a ** 2", a=3)) is int
    assert type(value("a ** 60", a=3)) is float
    assert value("a * a", a=MASS) == float(MASS * MASS)


numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6, allow_subnormal=False)
any_number = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)


def _binary(sign: str, of: Callable[[Number, Number], Number]) -> Callable[[tuple[Term, Term]], Term]:
    return lambda pair: Term(
        f"({pair[0].text} {sign} {pair[1].text})", lambda env: of(pair[0].of(env), pair[1].of(env))
    )


def _one_of_two(parts: tuple[Term, Term, Term]) -> Term:
    low, high, other = parts
    return Term(
        f"({low.text} if {low.text} < {high.text} else {other.text})",
        lambda env: low.of(env) if low.of(env) < high.of(env) else other.of(env),
    )


def _grown(terms: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    pairs = st.tuples(terms, terms)
    return st.one_of(
        pairs.map(_binary("+", lambda a, b: a + b)),
        pairs.map(_binary("-", lambda a, b: a - b)),
        pairs.map(_binary("*", lambda a, b: a * b)),
        pairs.map(_binary("/", lambda a, b: a / b)),
        pairs.map(_binary("//", lambda a, b: a // b)),
        pairs.map(_binary("%", lambda a, b: a % b)),
        pairs.map(
            lambda pair: Term(
                f"max({pair[0].text}, {pair[1].text})", lambda env: max(p.of(env) for p in pair)
            )
        ),
        terms.map(lambda term: Term(f"(-{term.text})", lambda env: -term.of(env))),
        terms.map(lambda term: Term(f"sqrt(abs({term.text}))", lambda env: math.sqrt(abs(term.of(env))))),
        st.tuples(terms, terms, terms).map(_one_of_two),
    )


terms = st.recursive(
    st.sampled_from(["a", "b", "c"]).map(lambda name: Term(name, lambda env: env[name]))
    | numbers.map(lambda number: Term(f"({number!r})", lambda _: number)),
    _grown,
    max_leaves=8,
)


@settings(deadline=None)
@given(terms, st.fixed_dictionaries({"a": numbers, "b": numbers, "c": numbers}))
def test_any_formula_comes_to_what_the_same_python_function_says(
    term: Term, inputs: dict[str, Number]
) -> None:
    try:
        expected: Number | None = term.of(inputs)
    except ArithmeticError:
        expected = None
    if expected is not None and abs(expected) > 2**53:
        expected = float(expected)
    if expected is not None and not math.isfinite(expected):
        expected = None

    assert value(term.text, **inputs) == expected


pieces = st.sampled_from(
    [
        *"ab()+-*/%<>=.,:[]{}!~^&|@ \n'\"\\#_0179",
        "**",
        "//",
        " if ",
        " else ",
        "1e308",
        "9**9",
        "None",
        "True",
        "2j",
        "sqrt(",
        "max(",
        "round(",
        "floor(",
        "exp(",
        "log(",
        "atan2(",
        "lambda ",
        " for ",
        " in ",
        "__class__",
    ]
)


@settings(deadline=None, max_examples=300)
@given(
    st.text(max_size=60) | st.lists(pieces, max_size=25).map("".join),
    st.lists(any_number, min_size=9, max_size=9),
)
@example("max(a, b) ** 1e308", [0.0] * 9)
def test_any_text_is_refused_by_a_config_error_or_gives_numbers_and_gaps(
    text: str, inputs: list[Number]
) -> None:
    try:
        formula = Formula(text)
    except ConfigError:
        return

    result = formula(*inputs[: len(formula.names)])
    assert result is None or (type(result) in (int, float) and math.isfinite(result))


sound_pieces = st.recursive(
    st.sampled_from(["a", "b", "0", "1e308", "10", "0.5", "9999999999999999999"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map(
            lambda parts: f"({''.join(parts)})"
        ),
        st.tuples(inner, inner, inner).map(
            lambda parts: f"({parts[0]} if {parts[1]}<{parts[2]} else {parts[0]})"
        ),
        st.tuples(st.sampled_from(["sqrt", "exp", "log", "tan", "floor", "ceil", "round", "abs"]), inner).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        ),
        st.tuples(st.sampled_from(["round", "atan2", "min", "max"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]},{parts[2]})"
        ),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(sound_pieces, any_number, any_number)
def test_a_sound_formula_never_raises_whatever_the_numbers(text: str, a: Number, b: Number) -> None:
    result = value(text, a=a, b=b)

    assert result is None or (type(result) in (int, float) and math.isfinite(result))
