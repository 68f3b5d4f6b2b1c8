"""What a value, a status and a time become, against a real server."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edge_agent.api import BAD, GOOD, Kind, Reason, bad, uncertain

CNC = "nsu=http://acme.example/cnc/;s="
SECOND = 1_000_000_000

SCALARS = {
    "Boolean": (True, Kind.BOOL, 1.0),
    "SByte": (-5, Kind.INT, -5.0),
    "Byte": (200, Kind.INT, 200.0),
    "Int16": (-300, Kind.INT, -300.0),
    "UInt16": (60_000, Kind.INT, 60_000.0),
    "Int32": (-70_000, Kind.INT, -70_000.0),
    "UInt32": (4_000_000_000, Kind.INT, 4e9),
    "Int64": (-(2**40), Kind.INT, -(2.0**40)),
    "UInt64": (2**40, Kind.INT, 2.0**40),
    "Float": (0.5, Kind.FLOAT, 0.5),
    "Double": (3.25, Kind.FLOAT, 3.25),
    "String": ("A100", Kind.TEXT, "A100"),
    "DateTime": ("2026-11-23T06:00:00.250+00:00", Kind.FLOAT, 1795413600.25),
    "Guid": ("09087e75-8e5e-499b-954f-f2a9603db28a", Kind.TEXT, "09087e75-8e5e-499b-954f-f2a9603db28a"),
    "ByteString": ("00ff10", Kind.TEXT, "00ff10"),
    "LocalizedText": ("läuft", Kind.TEXT, "läuft"),
    "QualifiedName": ("Mode", Kind.TEXT, "Mode"),
    "NodeId": ("ns=2;s=x", Kind.TEXT, "ns=2;s=x"),
    "StatusCode": ("BadDeviceFailure", Kind.TEXT, "BadDeviceFailure"),
}


async def test_every_scalar_type_has_its_kind_and_value(server, device):
    for name, (value, _, _) in SCALARS.items():
        server.do("write", name, name, value)
    cnc = device(server.url, {name.lower(): CNC + name for name in SCALARS})
    await cnc.connect()
    got = await cnc.first()
    for name, (_, kind, shown) in SCALARS.items():
        assert (name, cnc.tag[name.lower()].kind, got[name.lower()][:2]) == (name, kind, (shown, GOOD))


@pytest.mark.parametrize(("kind", "value"), [("Array", [1.0, 2.0]), ("Structure", None), ("Null", None)])
async def test_what_is_not_one_value_is_bad_by_the_device(server, device, kind, value):
    server.do("write", kind, kind, value)
    cnc = device(server.url, {"odd": CNC + kind, "temp": CNC + "Temp"})
    await cnc.connect()
    got = await cnc.first()
    assert np.isnan(got["odd"][0])
    assert got["odd"][1] == bad(Reason.DEVICE)
    assert got["temp"][1] == GOOD


async def test_the_status_code_decides_the_quality(server, device):
    cnc = device(server.url, {"temp": CNC + "Temp"})
    await cnc.connect()
    await cnc.first()
    overflow, clamped = 0x0480, 0x0030_0000
    cases = [
        ("UncertainLastUsableValue", uncertain(Reason.DEVICE)),
        ("BadSensorFailure", bad(Reason.DEVICE)),
        (0xC000_0000, bad(Reason.DEVICE)),
        (overflow, GOOD | Reason.DEVICE),
        (clamped, GOOD | Reason.DEVICE),
        ("Good", GOOD),
    ]
    for number, (status, quality) in enumerate(cases):
        server.do("write", "Temp", "Double", 30.0 + number, status)
        [(value, got, _)] = await cnc.changes("temp")
        assert (status, got) == (status, quality)
        assert np.isnan(value) if quality >= BAD else value == 30.0 + number


async def test_a_number_on_a_text_tag_is_text_and_text_on_a_number_tag_is_bad(server, device):
    server.do("write", "AnyText", "String", "A100")
    server.do("write", "AnyNumber", "Int16", 5)
    cnc = device(server.url, {"text": CNC + "AnyText", "number": CNC + "AnyNumber"})
    await cnc.connect()
    await cnc.first()
    server.do("write", "AnyText", "Int16", 7)
    assert (await cnc.changes("text"))[0][:2] == ("7", GOOD)
    server.do("write", "AnyNumber", "String", "seven")
    assert (await cnc.changes("number"))[0][1] == bad(Reason.DEVICE)
    server.do("write", "AnyNumber", "Double", 7.5)
    assert (await cnc.changes("number"))[0][:2] == (7.5, GOOD)
    assert cnc.tag["number"].kind is Kind.FLOAT


async def test_a_change_has_the_time_of_the_device(server, device):
    cnc = device(server.url, {"temp": CNC + "Temp"}, publish="500ms")
    await cnc.connect()
    await cnc.first()
    earliest = time.time_ns()
    server.do("write", "Temp", "Double", time.time())
    latest = time.time_ns()
    [(_, quality, at)] = await cnc.changes("temp")
    assert quality == GOOD
    assert earliest - 1000 <= at <= latest          # the server's clock is ours, cut to microseconds
    server.do("write", "Temp", "Double", time.time(), "Good", -3.0)
    ahead = time.time_ns() + 3 * SECOND
    [(_, quality, at)] = await cnc.changes("temp")
    assert quality == GOOD
    assert abs(at - ahead) < SECOND // 4


@pytest.mark.parametrize("age_s", [3600.0, -3600.0, 6.0])
async def test_a_change_with_an_implausible_time_gets_ours_and_says_so(server, device, age_s):
    cnc = device(server.url, {"count": CNC + "Count"})
    await cnc.connect()
    await cnc.first()
    server.do("write", "Count", "UInt32", int(time.time() * 10) % 2**32, "Good", age_s)
    [(_, quality, at)] = await cnc.changes("count")
    assert quality == GOOD | Reason.CLOCK
    assert abs(at - time.time_ns()) < SECOND


async def test_a_value_unchanged_since_yesterday_is_true_now(server, device):
    server.do("write", "State", "String", "RUN", "Good", 86_400.0)
    cnc = device(server.url, {"state": CNC + "State"})
    await cnc.connect()
    value, quality, at = (await cnc.first())["state"]
    assert (value, quality) == ("RUN", GOOD)
    assert abs(at - time.time_ns()) < SECOND


async def test_without_a_source_time_the_server_time_counts(server, device):
    cnc = device(server.url, {"temp": CNC + "Temp"})
    await cnc.connect()
    await cnc.first()
    server.do("write", "Temp", "Double", 77.0, "Good", None)
    [(value, quality, at)] = await cnc.changes("temp")
    assert (value, quality) == (77.0, GOOD)
    assert abs(at - time.time_ns()) < SECOND


async def test_changes_of_a_tag_keep_their_order_though_the_device_clock_lags(server, device):
    server.do("write", "Slow", "Int32", 0)
    cnc = device(server.url, {"slow": {"node": CNC + "Slow", "queue": 20}})
    await cnc.connect()
    samples = [(await cnc.first())["slow"]]
    for number in range(1, 6):
        server.do("write", "Slow", "Int32", number, "Good", 3.0)
    samples += await cnc.changes("slow", 5)
    await cnc.connect()
    samples.append((await cnc.first())["slow"])
    assert [value for value, _, _ in samples] == [0, 1, 2, 3, 4, 5, 5]
    times = [at for _, _, at in samples]
    assert times == sorted(set(times))
