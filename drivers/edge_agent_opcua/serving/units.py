"""UCUM codes of the site file as EUInformation (OPC UA Part 8, 5.6.4.3): UNECE where there is a code. Data only."""

from __future__ import annotations

from typing import Final, NamedTuple

_UNECE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"
_UCUM: Final = "http://unitsofmeasure.org"


class Unit(NamedTuple):
    """The fields of EUInformation; `id` is -1 where only the text says which unit it is."""

    namespace: str
    id: int
    text: str


# UCUM -> common code of UNECE recommendation 20.
_CODES: Final = {
    "%": "P1", "Cel": "CEL", "[degF]": "FAH", "K": "KEL",
    "Pa": "PAL", "kPa": "KPA", "MPa": "MPA", "bar": "BAR", "mbar": "MBR", "hPa": "A97", "[psi]": "PS",
    "s": "SEC", "ms": "C26", "min": "MIN", "h": "HUR", "d": "DAY",
    "m": "MTR", "mm": "MMT", "cm": "CMT", "um": "4H", "km": "KMT",
    "m2": "MTK", "m3": "MTQ", "L": "LTR", "l": "LTR", "mL": "MLT",
    "g": "GRM", "kg": "KGM", "t": "TNE", "mg": "MGM",
    "m/s": "MTS", "m/min": "2X", "km/h": "KMH", "mm/s": "C16", "m/s2": "MSK",
    "m3/h": "MQH", "L/min": "L2", "l/min": "L2", "L/s": "G51", "kg/h": "E93",
    "A": "AMP", "mA": "4K", "V": "VLT", "mV": "2Z", "kV": "KVT", "Ohm": "OHM",
    "W": "WTT", "kW": "KWT", "MW": "MAW", "V.A": "D46", "kV.A": "KVA", "var": "D44", "kvar": "KVR",
    "J": "JOU", "kJ": "KJO", "MJ": "3B", "W.h": "WHR", "kW.h": "KWH", "MW.h": "MWH", "kvar.h": "K3",
    "Hz": "HTZ", "kHz": "KHZ", "/min": "C94", "{rpm}": "RPM", "N": "NEW", "kN": "B47", "N.m": "NU",
    "deg": "DD", "rad": "C81", "dB": "2N", "lx": "LUX", "lm": "LUM", "1": "C62",
}  # fmt: skip


def unit_of(ucum: str) -> Unit:
    """The unit of a UCUM code. UnitId of a UNECE code is its characters as one number, the first the highest."""
    code = _CODES.get(ucum)
    if code is None:
        return Unit(_UCUM, -1, ucum)
    return Unit(_UNECE, int.from_bytes(code.encode("ascii"), "big"), ucum)
