"""Which events a server is asked for: select clauses and, where few words suffice, a where clause (Part 4, 7.22.3).

The where clause only spares the server to send what `events.AlarmWatch` would drop; so it may be wider than what
is wanted, never narrower, and a server that refuses it is asked without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.conditions import FIELDS

# Servers limit the size of a where clause, some to a few ten operands; with more types the choice is made here.
MOST_TYPES: Final = 16

BASE: Final = ua.NodeId(ua.ObjectIds.BaseEventType)
CONDITION: Final = ua.NodeId(ua.ObjectIds.ConditionType)
REFRESH_START: Final = ua.NodeId(ua.ObjectIds.RefreshStartEventType)
REFRESH_END: Final = ua.NodeId(ua.ObjectIds.RefreshEndEventType)
REFRESH_REQUIRED: Final = ua.NodeId(ua.ObjectIds.RefreshRequiredEventType)
OVERFLOW: Final = ua.NodeId(ua.ObjectIds.EventQueueOverflowEventType)
MARKS: Final = (REFRESH_START, REFRESH_END, REFRESH_REQUIRED, OVERFLOW)
"""Types of events that tell about the telling; always wanted."""


@dataclass(frozen=True, slots=True)
class _Both:
    operator: Any
    left: _Both | _Leaf
    right: _Both | _Leaf


@dataclass(frozen=True, slots=True)
class _Leaf:
    operator: Any
    operands: Sequence[Any]


_Term = _Both | _Leaf


def event_filter(severity: int, types: Sequence[Any], *, where: bool = True, specific: bool = True) -> Any:
    """The `ua.EventFilter` for events of any of `types` (node ids, subtypes spelled out) from `severity` on.

    An alarm that ends is wanted whatever its severity is then. `specific` False asks for every field as if
    BaseEventType defined it, as servers want that only know it by that.
    """
    chosen = ua.EventFilter()
    chosen.SelectClauses = [_field(path, definition if specific else None) for definition, path in FIELDS]
    if where:
        chosen.WhereClause = ua.ContentFilter(Elements=_elements(_wanted(severity, types)))
    return chosen


def chooses(types: Sequence[Any]) -> bool:
    """Whether the where clause says which types are wanted."""
    return 0 < len(types) <= MOST_TYPES and BASE not in types


def _wanted(severity: int, types: Sequence[Any]) -> _Term | None:
    terms: list[_Term] = []
    if chooses(types):
        terms.append(_any([_of_type(node) for node in types]))
    if severity > 1:
        ended = [
            _compare(ua.FilterOperator.Equals, path, _ALARM_OR_CONDITION[path], ua.Variant(False))
            for path in _ALARM_OR_CONDITION
        ]
        least = ua.Variant(severity, ua.VariantType.UInt16)
        terms.append(_any([_compare(ua.FilterOperator.GreaterThanOrEqual, "Severity", BASE.Identifier, least), *ended]))
    if not terms:
        return None
    whole = terms[0] if len(terms) == 1 else _Both(ua.FilterOperator.And, *terms)
    # These first: some servers give up at a field that an event does not have.
    return _any([*map(_of_type, MARKS), whole])


_ALARM_OR_CONDITION: Final = {
    "ActiveState/Id": ua.ObjectIds.AlarmConditionType,
    "Retain": ua.ObjectIds.ConditionType,
}


def _any(terms: Sequence[_Term]) -> _Term:
    whole = terms[-1]
    for term in reversed(terms[:-1]):
        whole = _Both(ua.FilterOperator.Or, term, whole)
    return whole


def _of_type(node: Any) -> _Term:
    return _Leaf(ua.FilterOperator.OfType, [_literal(ua.Variant(node, ua.VariantType.NodeId))])


def _compare(operator: Any, path: str, definition: int, value: Any) -> _Term:
    return _Leaf(operator, [_field(path, definition), _literal(value)])


def _literal(value: Any) -> Any:
    return ua.LiteralOperand(Value=value)


def _field(path: str, definition: int | None) -> Any:
    attribute = ua.AttributeIds.Value if path else ua.AttributeIds.NodeId
    # The node id of the condition is defined by ConditionType wherever it is asked for.
    defined = definition if definition is not None else ua.ObjectIds.BaseEventType if path else CONDITION.Identifier
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=ua.NodeId(defined),
        BrowsePath=[ua.QualifiedName(name, 0) for name in path.split("/")] if path else [],
        AttributeId=attribute,
    )


def _elements(term: _Term | None) -> list[Any]:
    """The tree as a list, its root first: operands point to elements behind their own (Part 4, 7.7.1)."""
    elements: list[Any] = []
    waiting = [] if term is None else [term]
    while waiting:
        one = waiting.pop(0)
        element = ua.ContentFilterElement(FilterOperator=one.operator)
        if isinstance(one, _Leaf):
            element.FilterOperands = list(one.operands)
        else:
            following = len(elements) + 1 + len(waiting)
            element.FilterOperands = [ua.ElementOperand(Index=following), ua.ElementOperand(Index=following + 1)]
            waiting += [one.left, one.right]
        elements.append(element)
    return elements
