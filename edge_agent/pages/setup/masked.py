"""Secrets that somebody has written into the site file in plain: not for everyone who looks over a shoulder. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from edge_agent.config.yaml_lines import parse

DOTS: Final = "●●●●●●"
_KEYS: Final = frozenset({"password", "token", "secret"})
"""whose value is one"""
_GROUPS: Final = frozenset({"tokens", "users", "headers"})
"""whose values all are"""
# A value behind such a key, however it is quoted; what names an environment variable or a file is no secret.
_LINE: Final = re.compile(
    r"""(?P<key>\b(?:password|token|secret)["']?\s*:\s*)(?!\s*["']?\$\{)(?P<value>"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^\s,}#][^,}#\n]*)"""
)
# Shorter ones would hide half of the text; behind their keys they are hidden all the same.
_TELLING: Final = 4


def is_secret(key: str) -> bool:
    """Whether what stands at a key such as `devices.cnc-7.login.password` is one."""
    *above, last = key.split(".")
    return last in _KEYS or bool(above and above[-1] in _GROUPS)


def masked(shown: str, *texts: str) -> str:
    """What is shown of one of the texts, without the secrets that stand in any of them."""
    shown = _LINE.sub(lambda match: match["key"] + DOTS, shown)
    found = {secret for text in texts for secret in _secrets(parse(text).data)}
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= _TELLING:
            shown = shown.replace(secret, DOTS)
    return shown


def _secrets(data: Any, key: str = "", above: str = "") -> Iterator[str]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield from _secrets(value, str(name), key)
    elif isinstance(data, list):
        for value in data:
            yield from _secrets(value, key, above)
    elif isinstance(data, str | int) and "${" not in (text := str(data)):
        if key in _KEYS or above in _GROUPS:
            yield text
        elif password := _in_url(text):
            yield password


def _in_url(text: str) -> str:
    try:
        return (urlsplit(text).password or "") if "://" in text else ""
    except ValueError:
        return ""
