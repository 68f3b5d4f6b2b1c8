"""What plugins find wrong once all parts are put together, told like everything else: with file, line and value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_agent.config.explain import value_at
from edge_agent.config.yaml_lines import Key, parse
from edge_agent.errors import ConfigError, Mistake


def placed(error: ConfigError, path: Path, text: str | None = None) -> ConfigError:
    """The same mistakes, each with the line of `path` where its key stands; those that have a file keep it. `text`
    is what was looked at in place of what the file has.

    What `${…}` put into a value is shown as it is written.
    """
    if all(mistake.file for mistake in error.mistakes):
        return error
    try:
        document = parse(path.read_text("utf-8-sig") if text is None else text)
    except (OSError, ValueError):
        return error        # it was there a moment ago; the mistakes are right all the same

    def place(mistake: Mistake) -> Mistake:
        if mistake.file:
            return mistake
        key = key_of(document.data, mistake.key)
        written = value_at(document.data, key)
        put_in = mistake.value and isinstance(written, str) and "${" in written
        value = written if put_in else mistake.value
        return replace(mistake, value=value, file=str(path), line=document.line(key))

    return ConfigError(*sorted(map(place, error.mistakes), key=lambda one: (one.file != str(path), one.file, one.line)))


def key_of(data: Any, dotted: str) -> Key:
    """The way to `publish.cloud.names.press-1.temp`, as far as it leads; names may have dots of their own."""
    key: Key = ()
    while isinstance(data, dict):
        fitting = [name for name in data if dotted == name or dotted.startswith(f"{name}.")]
        if not fitting:
            break
        name = max(fitting, key=len)
        key, data, dotted = (*key, name), data[name], dotted[len(name) + 1 :]
    return key
