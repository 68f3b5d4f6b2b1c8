"""Verdicts on KPI records: the newest of each machine against the truth up to the same instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from edge_agent_hil.runner.heard import Kpi
from edge_agent_hil.runner.played import Machine, Played
from edge_agent_hil.runner.verdict import Verdict, no_truth, seconds

Record = Mapping[str, Any]
COUNTS = ("pq", "sq", "rq")
TIMES = ("apt", "micro", "aust", "adet_fault", "adet_other")
# Sums of floats that are the nearest to exact ones.
ROUNDING_S = 1e-6
# The bounds are told as floats of exact ratios.
ROUNDING = 1e-9


def judge(played: Played) -> Iterator[Verdict]:
    """Those that are asked for, and always: that times add up."""
    expect = played.loaded.file.expect
    yield _each("times add up", "every machine", played, lambda machine, record: _times(record))
    if (limit := expect.oee_error) is not None:
        yield _worst("oee error", f"<= {limit:g} points", limit, played, oee_error, "points")
    if expect.in_bounds:
        yield _each("in bounds", "every machine", played, _bounds)
    if (pieces := expect.piece_error) is not None:
        yield _worst("piece error", f"<= {pieces}", pieces, played, piece_error, "pieces")
    if (time := expect.time_error) is not None:
        yield _worst("time error", f"<= {seconds(time)}", time / 1e9, played, time_error, "s")
    if expect.unknown is not None:
        low, high = (limit / 1e9 for limit in expect.unknown)
        yield _each("unknown", f"{low:g} to {high:g} s", played, lambda _, record: _unknown(record, low, high))
    if expect.flags:
        wanted = set(expect.flags)
        yield _each("flags", ", ".join(expect.flags), played, lambda _, record: _listed(wanted - set(record["flags"])))
    if expect.no_flags:
        unwanted = set(expect.no_flags)
        told = f"not {', '.join(expect.no_flags)}"
        yield _each("no flags", told, played, lambda _, record: _listed(unwanted & set(record["flags"])))


def newest(played: Played, name: str) -> Kpi | None:
    """The newest record of a machine of which the truth is known."""
    found = [kpi for kpi in played.heard.kpis[name] if kpi.as_of in played.machines[name].vectors]
    return max(found, key=lambda kpi: (kpi.as_of, kpi.record["rev"]), default=None)


def oee_error(played: Played, machine: Machine) -> float | None:
    """Told − true, percentage points."""
    kpi = newest(played, machine.name)
    if kpi is None:
        return None
    true, told = machine.vectors[kpi.as_of]["kpi"]["oee"], kpi.record["kpi"]["oee"]
    return None if true is None or told is None else 100 * float(told - true)


def piece_error(played: Played, machine: Machine) -> float | None:
    """Told − true, pieces: of total, scrap and rework the one that is furthest off."""
    return _furthest(played, machine, "counts", COUNTS)


def time_error(played: Played, machine: Machine) -> float | None:
    """Told − true, s: of the buckets of planned busy time the one that is furthest off."""
    return _furthest(played, machine, "time_s", TIMES)


def _furthest(played: Played, machine: Machine, part: str, names: tuple[str, ...]) -> float | None:
    kpi = newest(played, machine.name)
    if kpi is None:
        return None
    true, told = machine.vectors[kpi.as_of]["record"][part], kpi.record[part]
    return max((float(told[name] - true[name]) for name in names), key=abs)


def _worst(
    name: str, wanted: str, limit: float, played: Played, error: Callable[[Played, Machine], float | None], unit: str
) -> Verdict:
    found = {machine.name: error(played, machine) for machine in played.machines.values()}
    if not found:
        return no_truth(name, wanted)
    told = "; ".join(f"{one} {'none' if value is None else f'{value:+.3g}'}" for one, value in found.items())
    missing = [one for one, value in found.items() if value is None]
    if missing:
        return Verdict(name, wanted, "none", holds=False, detail=f"no record, or no ratio, of {', '.join(missing)}")
    worst = max((value for value in found.values() if value is not None), key=abs)
    return Verdict(name, wanted, f"{worst + 0.0:+.3g} {unit}", abs(worst) <= limit, told)


def _each(name: str, wanted: str, played: Played, wrong: Callable[[Machine, Record], str]) -> Verdict:
    """`wrong(machine, record)`: what is, '' if nothing."""
    if not played.machines:
        return no_truth(name, wanted)
    found = {}
    for machine in played.machines.values():
        kpi = newest(played, machine.name)
        said = wrong(machine, kpi.record | {"at": kpi.as_of}) if kpi else "no KPI record arrived"
        if said:
            found[machine.name] = said
    detail = "; ".join(f"{one}: {said}" for one, said in found.items())
    return Verdict(name, wanted, "not " + ", ".join(found) if found else "every machine", not found, detail)


def _times(record: Record) -> str:
    """The identities of ISO 22400-2's times: every instant is in exactly one bucket."""
    time = record["time_s"]
    excluded = time["nst"] + time["pdot"] + time["pbt"] - time["ct"]
    parts = ("apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk")
    off = sum(time[part] for part in parts) + excluded - time["pbt"]
    if min(time.values()) < 0:
        return f"a time is negative: {time}"
    return "" if abs(off) < ROUNDING_S else f"off by {off:g} s"


def _bounds(machine: Machine, record: Record) -> str:
    vector = machine.vectors[record["at"]]
    true = vector["kpi"]["oee"]
    low, high = record["bounds"].get("oee", (None, None))
    if true is None or low is None or high is None:
        return "there are none"
    # Whoever polls sees a piece that is made as the shift begins a moment later, and that of just now not yet.
    aside = machine.slowest / vector["busy_ns"] if machine.driver == "modbus" else ROUNDING
    return "" if low - aside <= true <= high + aside else f"{true:.4f} is not within {low:.4f} and {high:.4f}"


def _unknown(record: Record, low: float, high: float) -> str:
    found = record["time_s"]["unk_raw"]
    return "" if low <= found <= high else f"{found:.2f} s"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
