"""Units as OPC UA names them (UNECE Recommendation 20, Part 8, 5.6.3) and as tags do (UCUM)."""

from __future__ import annotations

from typing import Any, Final

from edge_agent_opcua.properties import text

_UCUM: Final = {
    # temperature, pressure
    "CEL": "Cel", "KEL": "K", "FAH": "[degF]", "BAR": "bar", "MBR": "mbar", "PAL": "Pa", "A97": "hPa", "KPA": "kPa",
    "MPA": "MPa", "PS": "[psi]",
    # power, energy, electricity
    "WTT": "W", "KWT": "kW", "MAW": "MW", "D46": "V.A", "KVA": "kV.A", "WHR": "W.h", "KWH": "kW.h", "MWH": "MW.h",
    "JOU": "J", "KJO": "kJ", "3B": "MJ", "AMP": "A", "4K": "mA", "VLT": "V", "2Z": "mV", "KVT": "kV", "OHM": "Ohm",
    "HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz",
    # length, area, volume, angle
    "C45": "nm", "4H": "um", "MMT": "mm", "CMT": "cm", "DMT": "dm", "MTR": "m", "KMT": "km", "INH": "[in_i]",
    "FOT": "[ft_i]", "MMK": "mm2", "CMK": "cm2", "MTK": "m2", "MLT": "mL", "LTR": "L", "MTQ": "m3", "DD": "deg",
    "C81": "rad",
    # mass, force, torque
    "MC": "ug", "MGM": "mg", "GRM": "g", "KGM": "kg", "TNE": "t", "NEW": "N", "B47": "kN", "NU": "N.m", "B48": "kN.m",
    # time, speed, flow
    "B98": "us", "C26": "ms", "SEC": "s", "MIN": "min", "HUR": "h", "DAY": "d", "RPM": "{rev}/min", "RPS": "{rev}/s",
    "C16": "mm/s", "H81": "mm/min", "2X": "m/min", "MTS": "m/s", "KMH": "km/h", "MSK": "m/s2", "L2": "L/min",
    "E32": "L/h", "MQS": "m3/s", "MQH": "m3/h", "KGS": "kg/s", "E93": "kg/h",
    # numbers, light, sound
    "P1": "%", "59": "[ppm]", "C62": "1", "H87": "{piece}", "LUX": "lx", "CDL": "cd", "2N": "dB",
}  # fmt: skip

# What servers show where they give no code: common signs that are no UCUM themselves.
_SIGNS: Final = {
    "°C": "Cel", "℃": "Cel", "°F": "[degF]", "kWh": "kW.h", "Wh": "W.h", "Nm": "N.m", "rpm": "{rev}/min",
    "1/min": "{rev}/min", "r/min": "{rev}/min", "l": "L", "l/min": "L/min", "m³": "m3", "m³/h": "m3/h", "m/s²": "m/s2",
    "mm²": "mm2", "cm²": "cm2", "m²": "m2", "µm": "um", "μm": "um", "Ω": "Ohm", "°": "deg", "psi": "[psi]",
    "ppm": "[ppm]", "VA": "V.A", "kVA": "kV.A", "pcs": "{piece}",
}  # fmt: skip
_KNOWN: Final = frozenset(_UCUM.values())


def ucum(information: Any) -> str:
    """The UCUM code of an EUInformation; '' if it has no unit, or one that is not in the table."""
    number = getattr(information, "UnitId", None)
    if isinstance(number, int) and 0 < number < 2**31:
        code = number.to_bytes(4, "big").lstrip(b"\0").decode("ascii", errors="replace")
        if code in _UCUM:
            return _UCUM[code]
    shown = shown_as(information)
    return shown if shown in _KNOWN else _SIGNS.get(shown, "")


def shown_as(information: Any) -> str:
    """The unit as the server shows it to people, such as °C."""
    return text(getattr(information, "DisplayName", None)).strip()
