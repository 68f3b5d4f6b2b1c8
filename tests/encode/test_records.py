"""State changes and reports through the journal's form and back, exactly."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.cell import Cell
from edge_agent.core.report import Report, StateChange, Window
from edge_agent.core.states import MachineState
from edge_agent.encode.records import pack_report, pack_state, unpack_report, unpack_state

times = st.integers(-(2**62), 2**62)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
cells = st.builds(
    Cell,
    ct=times,
    apt=times,
    unk_raw=times,
    pq=st.integers(0, 10**12),
    ipt=st.fractions(),
    igt=st.fractions(),
)
windows = st.builds(Window, words, words, times, times, st.dates(), st.sampled_from(["UTC", "Asia/Shanghai"]))
reports = st.builds(
    Report,
    words,
    windows,
    st.integers(0, 99),
    st.booleans(),
    times,
    words,
    cells,
    st.lists(words, max_size=3).map(tuple),
)
changes = st.builds(StateChange, words, st.sampled_from(MachineState), words, times)

SHIFT = Window("shift", "day", 0, 10, date(2026, 11, 23), "UTC")
REPORT = Report("press-1", SHIFT, 1, True, 10, "abc", Cell(ipt=Fraction(1, 3)))


@given(changes)
def test_a_state_change_comes_back(change: StateChange) -> None:
    assert unpack_state(pack_state(change)) == change


@given(reports)
def test_a_report_comes_back_exactly(report: Report) -> None:
    assert unpack_report(pack_report(report)) == report


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"v":1}', b'{"v":2}', b'{"v":1,"window":3}', b"null"]
)
def test_what_is_no_record_is_a_value_error(body: bytes) -> None:
    for unpack in (unpack_state, unpack_report):
        with pytest.raises(ValueError):
            unpack(body)


def test_a_damaged_record_is_a_value_error() -> None:
    for body, unpack in (
        (pack_report(REPORT), unpack_report),
        (pack_state(StateChange("m", MachineState.RUN, "", 1)), unpack_state),
    ):
        for size in range(len(body)):
            with pytest.raises(ValueError):
                unpack(body[:size])


def test_an_unknown_state_or_version_is_refused() -> None:
    body = pack_state(StateChange("m", MachineState.RUN, "", 1))
    with pytest.raises(ValueError):
        unpack_state(body.replace(b'"state":4', b'"state":99'))
    with pytest.raises(ValueError, match="version 2"):
        unpack_state(body.replace(b'"v":1', b'"v":2'))
