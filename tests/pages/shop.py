"""A shop whose machines keep their states: an API with answers as the agent's, of as many machines as asked for.

`python -m tests.pages.shop PORT MACHINES [LOGIN]`
"""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

ZONE = ZoneInfo("Asia/Shanghai")
STATES = ("RUN", "RUN", "RUN", "RUN", "RUN", "IDLE", "SETUP", "FAULT", "MAINT", "OFF", "UNKNOWN")
REASONS = {"IDLE": ("STARVED", None, "NO_OPERATOR"), "FAULT": ("TOOL", None, "ESTOP"), "MAINT": ("PREVENTIVE",)}
NAMES = ("press", "cnc", "lathe", "robot", "oven", "mould")


# As often as an agent publishes figures.
EVERY_S = 10
OPENED = datetime.now(ZONE).replace(microsecond=0)
BEGIN = OPENED - timedelta(hours=5, minutes=30)


def shift() -> tuple[datetime, datetime, datetime]:
    """Begin, last publication, end of a shift of eight hours; five and a half were gone when the shop was opened."""
    now = datetime.now(ZONE).replace(microsecond=0)
    return BEGIN, now - timedelta(seconds=now.second % EVERY_S), BEGIN + timedelta(hours=8)


def machine(number: int) -> dict[str, Any]:
    """A row of the overview."""
    dice = random.Random(number)
    begin, now, end = shift()
    state = STATES[number % len(STATES)] if number else "RUN"
    availability, performance, quality = dice.uniform(0.55, 0.99), dice.uniform(0.6, 1.0), dice.uniform(0.93, 1.0)
    target_end = dice.choice((1200, 2400, 14400, 240))
    nothing = state == "OFF"
    oee = None if nothing else availability * performance * quality
    gone = (now - begin) / (end - begin)
    good = int(target_end * gone * (oee or 0))
    return {
        "id": f"{NAMES[number % len(NAMES)]}-{number + 1}",
        "line": f"line-{'abcdefghij'[number * 5 // 60 % 10]}",
        "area": "machining",
        "state": state,
        "reason": dice.choice(REASONS.get(state, (None,))),
        "since": (OPENED - timedelta(seconds=dice.choice((8, 95, 700, 4300, 9000)))).isoformat(timespec="milliseconds"),
        "source": None,
        "window": "shift",
        "name": "day",
        "start": begin.isoformat(timespec="milliseconds"),
        "end": end.isoformat(timespec="milliseconds"),
        "as_of": now.isoformat(timespec="milliseconds"),
        "oee": oee,
        "availability": None if nothing else availability,
        "performance": None if nothing else performance,
        "quality": None if nothing else quality,
        "data_coverage": 0.62 if state == "UNKNOWN" else 0.998,
        "total": good + dice.randrange(40),
        "good": good,
        "target": target_end * gone,
        "target_end": float(target_end),
        "ideal_cycle_s": 12.0,
        "product": dice.choice(("A100", "B200-left", "壳体-7", None)),
        "order": dice.choice(("4711", None)),
        "flags": ["LOW_CONFIDENCE"] if state == "UNKNOWN" else [],
    }


def group(scope: str, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What they add up to, more or less."""
    known = [row for row in rows if row["oee"] is not None]

    def mean(key: str) -> float | None:
        return sum(row[key] for row in known) / len(known) if known else None

    states: dict[str, int] = {}
    for row in rows:
        states[row["state"]] = states.get(row["state"], 0) + 1
    figures = {key: mean(key) for key in ("oee", "availability", "performance", "quality", "data_coverage")}
    return {
        "scope": scope,
        "id": name,
        "machines": [row["id"] for row in rows],
        "serial": False,
        "constraint": None,
        "states": states,
        **figures,
        "good": sum(row["good"] for row in rows),
        "total": sum(row["total"] for row in rows),
        "window": "shift",
        "name": "day",
        "start": rows[0]["start"],
        "end": rows[0]["end"],
        "as_of": rows[0]["as_of"],
        "flags": [],
    }


def overview(number: int) -> dict[str, Any]:
    """The answer of `/overview`."""
    rows = [machine(one) for one in range(number)]
    lines = sorted({row["line"] for row in rows})
    groups = [group("site", "suzhou", rows)] if number > 1 else []
    groups += [group("line", line, [row for row in rows if row["line"] == line]) for line in lines if number > 1]
    return {
        "agent": "gw-01",
        "time": datetime.now(ZONE).isoformat(timespec="milliseconds"),
        "timezone": "Asia/Shanghai",
        "language": "en",
        "place": ["acme", "suzhou", "machining"],
        "machines": rows,
        "groups": groups,
    }


def head(name: str) -> dict[str, Any]:
    begin, now, end = shift()
    window = {
        "kind": "shift",
        "name": "day",
        "start": begin.isoformat(),
        "end": end.isoformat(),
        "production_date": str(begin.date()),
    }
    return {
        "machine": name,
        "window": window,
        "as_of": now.isoformat(),
        "final": False,
        "since": begin.isoformat(),
        "flags": ["LOW_CONFIDENCE"],
    }


def spans(name: str) -> dict[str, Any]:
    dice = random.Random(name)
    begin, now, end = shift()
    found: list[dict[str, Any]] = []
    at = begin
    while at < now:
        state = (
            dice.choice(("RUN", "RUN", "RUN", "IDLE", "FAULT", "SETUP", "MAINT", "UNKNOWN"))
            if not found or found[-1]["state"] == "RUN"
            else "RUN"
        )
        long = timedelta(minutes=dice.uniform(8, 45) if state == "RUN" else dice.uniform(1, 16))
        to = min(at + long, now)
        found.append(
            {
                "start": at.isoformat(),
                "end": None if to == now else to.isoformat(),
                "state": state,
                "order": True,
                "reason": dice.choice(REASONS.get(state, (None,))),
                "source": None,
            }
        )
        at = to
    rest = begin + timedelta(hours=4)
    back = rest + timedelta(minutes=15)
    plan = [
        {"start": begin.isoformat(), "end": rest.isoformat(), "kind": "busy", "label": ""},
        {"start": rest.isoformat(), "end": back.isoformat(), "kind": "planned_down", "label": "break"},
        {"start": back.isoformat(), "end": end.isoformat(), "kind": "busy", "label": ""},
    ]
    return {
        "machine": name,
        "start": begin.isoformat(),
        "end": now.isoformat(),
        "complete": True,
        "spans": found,
        "plan": plan,
        "alarms": [],
    }


def losses(name: str) -> dict[str, Any]:
    parts = {
        "no_order": 600.0,
        "maint": 900.0,
        "other": 840.0,
        "fault": 1500.0,
        "setup": 1320.0,
        "micro": 610.5,
        "unknown": 0.0,
        "speed": 2210.0,
        "quality": 310.0,
    }
    planned, left, steps = 19800.0, 19800.0, []
    for key, seconds in parts.items():
        steps.append({"name": key, "seconds": seconds, "before_s": left, "after_s": left - seconds})
        left -= seconds
    steps.append({"name": "good", "seconds": left, "before_s": left, "after_s": 0.0})
    kpi = {
        "oee": left / planned,
        "availability_classic": 0.7743,
        "performance_classic": 0.8521,
        "quality_count": 0.9786,
        "quality_time": 0.9745,
        "availability_iso": 0.7434,
        "effectiveness_iso": 0.8871,
        "nee": 0.69,
        "ooe": 0.61,
        "teep": 0.583,
        "utilization_efficiency": 0.86,
        "allocation_efficiency": 0.97,
        "technical_efficiency": 0.89,
        "setup_ratio": 0.08,
        "scrap_ratio": 0.0214,
        "rework_ratio": 0.0,
        "first_pass_yield": None,
        "data_coverage": 0.962,
    }
    bounds = {
        "oee": {"low": left / planned, "high": left / planned},
        "availability": {"low": 0.71, "high": 0.78},
        "performance": {"low": 0.84, "high": 0.93},
    }
    return {**head(name), "planned_s": planned, "steps": steps, "six_losses_s": {}, "kpi": kpi, "bounds": bounds}


def stops(name: str) -> dict[str, Any]:
    found = [one for one in spans(name)["spans"] if one["state"] in ("IDLE", "FAULT", "SETUP", "MAINT")][::-1]
    rows: list[dict[str, Any]] = []
    sums: dict[tuple[str, Any], tuple[int, float]] = {}
    for one in found:
        start = datetime.fromisoformat(one["start"])
        end = datetime.fromisoformat(one["end"]) if one["end"] else datetime.now(ZONE)
        seconds = (end - start).total_seconds()
        rows.append(
            {
                "id": str(round(start.timestamp() * 1e9)),
                "start": one["start"],
                "end": one["end"],
                "seconds": seconds,
                "bucket": "adet_other",
                "state": one["state"],
                "reason": one["reason"],
                "source": None,
            }
        )
        count, time = sums.get((one["state"], one["reason"]), (0, 0.0))
        sums[one["state"], one["reason"]] = count + 1, time + seconds
    pareto = [
        {"bucket": "adet_other", "state": state, "reason": reason, "count": count, "seconds": time, "share": 0.1}
        for (state, reason), (count, time) in sorted(sums.items(), key=lambda item: -item[1][1])
    ]
    return {
        **head(name),
        "pareto": pareto,
        "total": len(rows),
        "stops": rows,
        "suggestions": ["TOOL", "die change"],
        "may_say": True,
    }


def production(name: str) -> dict[str, Any]:
    dice = random.Random(name)
    begin, _, _ = shift()
    points, total, good, ideal = [], 0, 0, 0.0
    for minute in range(0, 331, 5):
        points.append(
            {"time": (begin + timedelta(minutes=minute)).isoformat(), "total": total, "good": good, "ideal": ideal}
        )
        made = dice.choice((22, 24, 23, 8, 0, 21, 24))
        total, good, ideal = (
            total + made,
            good + max(0, made - dice.choice((0, 0, 1))),
            ideal + (25 if not 240 <= minute < 255 else 0),
        )
    return {
        **head(name),
        "total": total,
        "good": good,
        "scrap": total - good,
        "rework": 0,
        "ideal_cycle_s": 12.0,
        "target": ideal,
        "target_end": 2325.0,
        "points": points,
        "jobs": [],
    }


def cycles(name: str) -> dict[str, Any]:
    dice = random.Random(name)
    counts = [round(400 * 2.718 ** (-(((at - 9) / 4) ** 2))) + dice.randrange(6) for at in range(34)]
    bars = [{"low_s": 11.2 + at * 0.2, "high_s": 11.4 + at * 0.2, "n": n} for at, n in enumerate(counts)]
    return {
        "machine": name,
        "products": [
            {
                "product": "A100",
                "cycles": sum(counts),
                "median_s": 13.1,
                "p5_s": 12.1,
                "best_s": 11.3,
                "ideal_s": 12.0,
                "estimate_s": None,
                "estimated_since": None,
                "in_use": False,
                "histogram": bars,
            }
        ],
    }


def energy(name: str) -> dict[str, Any]:
    dice = random.Random(name)
    begin, _, _ = shift()
    hours = []
    for hour in range(6):
        start = (begin + timedelta(hours=hour)).replace(minute=0)
        wh = {"e_run": dice.uniform(9000, 14000), "e_idle": dice.uniform(300, 2000), "e_off": 0.0, "e_other": None}
        hours.append(
            {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat(), "wh": wh, "good": 300}
        )
    kpi = {"total_kwh": 71.3, "kwh_per_good_piece": 0.0481, "kg_co2": 40.6, "kwh_per_piece": 0.047}
    return {
        **head(name),
        "metered": not name.startswith("robot"),
        "wh": {},
        "kpi": kpi,
        "bounds": {},
        "carbon": {},
        "hours": hours,
    }


def explain(name: str, figure: str) -> dict[str, Any]:
    rows = [
        {
            "start": one["start"],
            "end": one["end"] or head(name)["as_of"],
            "seconds": 512.0,
            "bucket": "apt",
            "state": one["state"],
            "reason": one["reason"],
        }
        for one in spans(name)["spans"]
    ]
    return {
        **head(name),
        "name": figure,
        "value": 0.7345,
        "unit": "1",
        "formula": "igt / pbt",
        "source": "ISO 22400-2",
        "better": "higher",
        "inputs": [{"name": "igt", "value": 11499.5, "unit": "s"}, {"name": "pbt", "value": 19800.0, "unit": "s"}],
        "bounds": {"low": 0.71, "high": 0.75},
        "coverage": 0.96,
        "total": len(rows),
        "stretches": rows,
        "tags": [
            {"role": "total", "tag": f"{name}.total", "value": 4711, "unit": "", "quality": "good", "why": None},
            {"role": "state", "tag": f"{name}.state", "value": 1, "unit": "", "quality": "good", "why": None},
        ],
    }


def make(number: int, login: bool) -> FastAPI:
    app = FastAPI()
    said: list[dict[str, Any]] = []
    changed: dict[str, str] = {}

    @app.get("/api/v1/me")
    async def me(request: Request) -> dict[str, Any]:
        user = "anna" if not login or request.cookies.get("edge_session") else None
        return {
            "user": user,
            "role": "engineer" if user else None,
            "csrf": "token" if user else None,
            "reading_is_open": not login,
            "first_visit": False,
            "may": [],
            "agent": "gw-01",
            "language": "en",
            "version": "0.1.0",
            "timezone": "Asia/Shanghai",
            "place": {"enterprise": "acme", "site": "suzhou"},
        }

    @app.post("/api/v1/login")
    async def enter(request: Request) -> JSONResponse:
        given = await request.json()
        if given["password"] != "right":
            return JSONResponse({"error": "user or password is wrong", "near": []}, 401)
        answer = JSONResponse({})
        answer.set_cookie("edge_session", "some-session", httponly=True, samesite="strict")
        return answer

    @app.get("/api/v1/overview")
    async def look() -> dict[str, Any]:
        found = overview(number)
        for row in found["machines"]:
            if row["id"] in changed:
                row |= {"state": changed[row["id"]], "since": found["time"]}
        return found

    for path, of in (
        ("spans", spans),
        ("losses", losses),
        ("stops", stops),
        ("production", production),
        ("cycles", cycles),
        ("energy", energy),
    ):
        app.get(f"/api/v1/machines/{{name}}/{path}")(_answering(of))

    @app.get("/api/v1/machines/{name}/explain")
    async def why(name: str, kpi: str) -> dict[str, Any]:
        return explain(name, kpi)

    @app.post("/api/v1/machines/{name}/stops/{start}/reason")
    async def say(name: str, start: str, request: Request) -> dict[str, Any]:
        said.append({"machine": name, "start": start, **await request.json()})
        return {"id": said[-1].get("id", ""), "ok": True, "error": None}

    @app.post("/changed/{name}/{state}")
    async def change(name: str, state: str) -> None:
        """From now on the machine is in that state."""
        changed[name] = state

    @app.get("/said")
    async def heard() -> list[dict[str, Any]]:
        return said

    return app


def _answering(of: Any) -> Any:
    async def answer(name: str) -> dict[str, Any]:
        found: dict[str, Any] = of(name)
        return found

    return answer


if __name__ == "__main__":
    uvicorn.run(make(int(sys.argv[2]), len(sys.argv) > 3), port=int(sys.argv[1]), log_level="warning")
