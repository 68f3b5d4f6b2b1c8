"""A password that somebody has typed into a form goes into a file of the agent's own: the draft only names that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

# Of a device's name, so that the secret's is not too long.
_NAME: Final = 50


async def without_password(
    keys: Mapping[str, Any], name: str, ask: Callable[[str, object], Awaitable[Any]]
) -> dict[str, Any] | None:
    """The keys of a device, its password replaced by what the site file says in its place; None if it cannot be kept.

    `ask(path, body)` asks the agent, None where it refuses. What names a variable or a file already stays.
    """
    login = keys.get("login")
    password = str(login.get("password") or "") if isinstance(login, Mapping) else ""
    if not password or password.startswith("${"):
        return dict(keys)
    kept = await ask("/secrets", {"name": f"{name[:_NAME]}-password", "value": password})
    return None if kept is None else {**keys, "login": {**keys["login"], "password": kept["reference"]}}
