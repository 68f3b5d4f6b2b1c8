"""Identifiers of equipment (标识解析): which scheme a text belongs to; `None` for one of none (domain 5.1).

Forms only: nobody is asked whether an identifier is registered. Where a scheme's text is not public, its form is
that of published examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

SCHEMES: Final[Mapping[str, str]] = {
    "handle": r"88\.\d{1,6}(\.[A-Za-z0-9]{1,16})+/\S{1,200}",       # national system: 88.node.enterprise/suffix
    "oid": r"[0-2]\.(0|[1-9]\d*)(\.(0|[1-9]\d*)){2,}",              # ISO/IEC 29168; China is 1.2.156
    "gs1": r"https://id\.gs1\.org/(01/\d{14}(/21/[^\s/]{1,20})?|8004/[^\s/]{1,30}|414/\d{13})",
    "vaa": r"VAA\d[0-9A-Za-z./_-]{3,200}",                          # ISO/IEC 15459, issuing agency VAA
    "ma": r"MA\.\d+(\.[0-9A-Za-z]+)+(/\S{1,200})?",                 # ISO/IEC 15459, issuing agency MA
    "uri": r"(https?://|urn:)[^\s/]\S{2,300}",                      # IEC 61406, AAS
    "other": r"[a-z][a-z0-9-]*:[^\s/]\S{0,300}",                    # scheme:code, such as ecode:…
}
"""Scheme → the form of its identifiers; the first that fits is meant."""

HINT: Final = "such as 88.608.8889/JH21-0042, 1.2.156.3088.1, https://id.gs1.org/8004/…, or scheme:code"


def scheme_of(text: str) -> str | None:
    """The scheme of an identifier."""
    if text.startswith(("88.", "https://id.gs1.org/")):     # meant to be one of these: no other will do
        name = "handle" if text[0] == "8" else "gs1"
        return name if re.fullmatch(SCHEMES[name], text) else None
    return next((name for name, form in SCHEMES.items() if re.fullmatch(form, text)), None)
