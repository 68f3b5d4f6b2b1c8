"""The language of templates that users write: Jinja2's syntax, and of it only what cannot do harm.

Allowed is what is named here, nothing else: text, `{{ … }}`, `if`, `for`, `set`; arithmetic, comparison, `~`; the
filters and tests below. There are no calls, no methods, no macros, no imports, no `range`: attributes are looked up
among the keys of the data only, so there is no way to anything of Python's. What a rendering may take is bounded: loops
go over the data, texts and numbers have a largest size, lists cannot be nested or added, and all it does is paid for
from one budget: a round of a loop by what stands in it, an operation by the size of what it works on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

LARGEST: Final = 4_000_000
"""characters of a text, also of what comes out: far above the largest message of any platform"""

BUDGET: Final = 1_000_000
"""of a rendering, each about a microsecond: a record has some thousand samples, each some dozen steps"""

_STEPS: Final = 5      # nodes of a template that are worked off for one of the budget
_CHARACTERS: Final = 8     # of a text, or members of a list, likewise; sorting takes as long as that
_DIGITS: Final = 20     # to which, and of which, a number can be rounded: more than a float has

_BITS: Final = 256      # of a whole number: times in ns take 63
_LOOP: Final = frozenset({"first", "last", "index", "index0", "revindex", "revindex0", "length"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A width (%99999999d) would make strftime write as much as it says.
_TIME_FORMAT: Final = re.compile(r"(?:[^%]|%[YmdHMSfjyz%])*")

_NODES: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name, nodes.Const,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.CondExpr, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Concat,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos,
)  # fmt: skip
_TESTS: Final = frozenset({
    "defined", "undefined", "none", "true", "false", "boolean", "integer", "float", "number", "string", "mapping",
    "sequence", "in", "eq", "ne", "lt", "le", "gt", "ge", "even", "odd", "divisibleby",
})  # fmt: skip
_OWN: Final = frozenset({"default", "d", "first", "last", "length", "count", "abs", "int", "float", "string",
                         "lower", "upper", "trim", "sort", "unique", "reverse"})  # fmt: skip
"""filters of Jinja2's own that make nothing larger than what they are given"""


def _small(value: Any) -> Any:
    """The value itself, unless it has grown beyond all use."""
    if isinstance(value, str) and len(value) > LARGEST:
        raise SecurityError(f"makes a text of more than {LARGEST} characters")
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise SecurityError("makes a number too large for anything")
    return value


def _steps(value: Any) -> int:
    """What it costs to work on a value."""
    return len(value) // _CHARACTERS if isinstance(value, str | list | tuple | dict) else 0


def _plain(value: Any) -> Any:
    """The value itself, unless it is a list or a group."""
    if not isinstance(value, str | int | float | Undefined | None):
        raise SecurityError("a list or a group is written with | json")
    return value


def _flat(literal: Any) -> Any:
    """A list or group that was written down, unless something in it is one: nested, they grow without end."""
    for one in literal.values() if isinstance(literal, dict) else literal:
        if isinstance(one, list | tuple | dict):
            raise SecurityError("a list or a group cannot be put into another one")
    return literal


def _json(value: Any) -> str:
    """As JSON; a number that is none is null."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _iso(time_ms: int, zone: str = "UTC") -> str:
    """`2026-11-23T06:00:00.000+08:00`, in UTC with Z."""
    written = _moment(time_ms).astimezone(_zone(zone)).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z") if zone == "UTC" else written


def _time(time_ms: int, form: str, zone: str = "UTC") -> str:
    """As `form` says, in the directives of strftime."""
    if not _TIME_FORMAT.fullmatch(form):
        raise SecurityError(f"time takes %Y %m %d %H %M %S %f %j %y %z, not {form!r}")
    return _moment(time_ms).astimezone(_zone(zone)).strftime(form)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:    # a directory, a name too long, none of them
        raise SecurityError(f"there is no time zone {str(name)[:40]!r}") from error


def _round(number: float, digits: int = 0, method: str = "common") -> float:
    """As Jinja2's own, which would count as many digits as it is told to."""
    if not isinstance(digits, int) or abs(digits) > _DIGITS:
        raise SecurityError(f"round takes from -{_DIGITS} to {_DIGITS} digits")
    return do_round(number, digits, method)     # type: ignore[arg-type]  # it refuses any other method


def _moment(time_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=time_ms)


def _ms(time: int | str) -> int:
    """ms UTC of an ISO 8601 text; of what is ms already, itself."""
    if not isinstance(time, str):
        return int(time)
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(milliseconds=1)


def _replace(text: str, old: str, new: str) -> str:
    if old and text.count(old) * max(0, len(new) - len(old)) + len(text) > LARGEST:
        raise SecurityError(f"makes a text of more than {LARGEST} characters")
    return text.replace(old, new) if old else text


def _join(parts: Iterable[Any], between: str = "") -> str:
    texts = [str(_plain(part)) for part in parts]
    if sum(map(len, texts)) + len(between) * len(texts) > LARGEST:
        raise SecurityError(f"makes a text of more than {LARGEST} characters")
    return between.join(texts)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "json": _json,
    "iso": _iso,
    "time": _time,
    "ms": _ms,
    "s": lambda time_ms: time_ms // 1000,
    "opc": lambda quality: {"good": 192, "uncertain": 64}.get(quality, 0),
    "level": lambda name: re.sub(r"[/+#\x00-\x1f]", "_", str(name)),
    "known": lambda values: {name: value for name, value in values.items() if value is not None},
    "bad": lambda quality: [name for name, kind in quality.items() if kind == "bad"],
    "items": lambda mapping: list(mapping.items()),
    "keys": lambda mapping: list(mapping),
    "values": lambda mapping: list(mapping.values()),
    "replace": _replace,
    "join": _join,
    "round": _round,
}
"""Filters beside Jinja2's own; what is not here cannot be used."""


class Language(ImmutableSandboxedEnvironment):
    """Makes renderers. One that is used by one thread at a time."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, finalize=_plain
        )
        self.globals.clear()
        own = {name: self.filters[name] for name in _OWN}
        paid = {name: self._paid(one) for name, one in {**own, **FILTERS, _WEIGHED: lambda value: value}.items()}
        self.filters = {**paid, _COUNTED: self._counted, _FLAT: _flat}
        self.tests = {name: test for name, test in self.tests.items() if name in _TESTS}
        self._left = BUDGET

    def renderer(self, source: str, known: Iterable[str]) -> Renderer:
        """What renders this text with variables of these names; TemplateSyntaxError has the line that is wrong."""
        try:
            return self._renderer(source, known)
        except (RecursionError, MemoryError, SyntaxError) as error:     # Python's own compiler has such limits, too
            raise TemplateSyntaxError("is nested too deeply", 1) from error

    def _renderer(self, source: str, known: Iterable[str]) -> Renderer:
        self.begin()
        tree = self.parse(source)
        for node in tree.find_all(nodes.Node):
            self._check(node)
        known = set(known)
        undeclared = sorted(meta.find_undeclared_variables(tree))
        for name in undeclared:
            if name not in known:
                line = next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), 1)
                raise TemplateSyntaxError(f"there is no {name!r} here; known are {', '.join(sorted(known))}", line)
        for loop in tree.find_all(nodes.For):
            steps = 1 + sum(1 for _ in loop.find_all(nodes.Node)) // _STEPS
            loop.iter = nodes.Filter(loop.iter, _COUNTED, [nodes.Const(steps)], [], None, None, lineno=loop.lineno)
        return Renderer(self, tree, frozenset(undeclared))

    def _check(self, node: nodes.Node) -> None:
        what = type(node).__name__.lower()
        if isinstance(node, nodes.Keyword | nodes.Pair | nodes.Operand | nodes.Template | nodes.TemplateData):
            return
        if type(node) not in _NODES:
            raise TemplateSyntaxError(f"{_WORDS.get(what, what)} cannot be used here", node.lineno)
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("a loop cannot be recursive here", node.lineno)
        if isinstance(node, nodes.Name) and node.name in ("self", "super"):
            raise TemplateSyntaxError(f"{node.name} cannot be used here", node.lineno)
        if isinstance(node, nodes.Filter) and (node.name not in self.filters or not node.node):
            names = ", ".join(sorted({*_OWN, *FILTERS}))
            raise TemplateSyntaxError(f"there is no filter {node.name!r}; known are {names}", node.lineno)
        if isinstance(node, nodes.Test) and node.name not in self.tests:
            raise TemplateSyntaxError(f"there is no test {node.name!r}", node.lineno)
        if isinstance(node, nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
            raise TemplateSyntaxError("* and ** cannot be used here", node.lineno)

    def begin(self) -> None:
        """A rendering begins, with its whole budget."""
        self._left = BUDGET

    def _pay(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise SecurityError("takes too long: its loops go round too often, or work on too much text")

    def _paid(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """The filter, paid for by what goes in and what comes out; what it makes is a value, and of a sane size."""

        @wraps(one)
        def paid(*given: Any, **named: Any) -> Any:
            self._pay(1 + sum(map(_steps, given)))
            made = one(*given, **named)
            if isinstance(made, Iterator):
                made = list(made)
            self._pay(_steps(made))
            return _small(made)

        return paid

    def _counted(self, over: Any, steps: int) -> Any:
        if isinstance(over, Undefined):
            return over         # says which name, once it is looped over
        if not isinstance(over, list | tuple | dict):
            raise SecurityError("a loop goes over a list, or over the names of a group")
        self._pay(len(over) * steps)
        return over

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Of data, a key; of a loop, where it stands; nothing else has any."""
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A key of data, or a part of a list or text."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, Mapping):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=str(argument))
        if isinstance(obj, Sequence) and isinstance(argument, int | slice):
            try:
                self._pay(_steps(obj) if isinstance(argument, slice) else 1)
                return obj[argument]
            except IndexError:
                return self.undefined(obj=obj, name=str(argument))
        return self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers with numbers; texts can be added, to a size."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers and not (operator == "+" and isinstance(left, str) and isinstance(right, str)):
            kinds = f"{type(left).__name__} and {type(right).__name__}"
            raise SecurityError(f"{operator} cannot be used with {kinds}")
        self._pay(1 + _steps(left) + _steps(right))
        return _small(super().call_binop(context, operator, left, right))


class Renderer:
    """A text to be rendered with data. `needs`: the names it uses."""

    def __init__(self, language: Language, tree: nodes.Template, needs: frozenset[str]) -> None:
        self.needs = needs
        self._language = language
        for holder in reversed([tree, *tree.find_all(nodes.Node)]):     # what is inside first
            for field, value in list(holder.iter_fields()):
                setattr(holder, field, _bounded(value))
        self._template = language.from_string(tree)

    def render(self, data: Mapping[str, Any]) -> str:
        """The text; ValueError says what is wrong with the template, or with the data it does not expect."""
        self._language.begin()
        made: list[str] = []
        size = 0
        try:
            for chunk in self._template.generate(data):
                size += len(chunk)
                if size > LARGEST:
                    raise SecurityError(f"makes a text of more than {LARGEST} characters")
                made.append(chunk)
        except (TemplateError, TypeError, ArithmeticError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        return "".join(made)


def _bounded(value: Any) -> Any:
    """In a field of a node: `a ~ b` as the filter `join` of a list, which keeps to a size; literals as flat ones; what
    is compared is paid for."""
    if isinstance(value, list):
        return [_bounded(one) for one in value]
    if isinstance(value, nodes.Concat):
        return _filtered(nodes.List(value.nodes, lineno=value.lineno), "join")
    if isinstance(value, nodes.Compare | nodes.Operand | nodes.Test):
        field = "node" if isinstance(value, nodes.Test) else "expr"
        setattr(value, field, _filtered(getattr(value, field), _WEIGHED))
        return value
    if isinstance(value, nodes.List | nodes.Dict | nodes.Tuple) and getattr(value, "ctx", "load") == "load":
        return _filtered(value, _FLAT)
    return value


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


# With a space: no template can name them.
_COUNTED: Final = "counted "
_WEIGHED: Final = "weighed "
_FLAT: Final = "flat "
_WORDS: Final = {
    "call": "a call", "macro": "a macro", "pow": "**", "include": "include", "extends": "extends", "block": "a block",
    "fromimport": "import", "callblock": "call", "filterblock": "a filter block", "assignblock": "a set block",
    "nsref": "a namespace", "with": "with",
}  # fmt: skip
