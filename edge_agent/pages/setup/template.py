"""A model whose registers are known: chosen by its name, with what differs from one device of it to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.config.yaml_lines import scalar
from edge_agent.pages.parts import html, put
from edge_agent.pages.words import Words

# Of its tags a line shows the first.
_SHOWN: Final = 8


class TemplateChoice:
    """The list, and a field a parameter; `changed` is called when another is chosen."""

    def __init__(self, words: Words, templates: Sequence[Mapping[str, Any]], changed: Callable[[], None]) -> None:
        self._words = words
        self._templates = {str(one["name"]): one for one in templates}
        self._changed = changed
        self._fields: dict[str, ui.input] = {}
        self._select = (
            ui.select(
                {"": words("setup.template.none"), **{name: name for name in self._templates}},
                value="", label=words("setup.template"), on_change=self._show,
            )
            .props("outlined dense")
            .classes("wide")
            .mark("template")
        )  # fmt: skip
        self._about = html("").classes("wide")
        self._box = ui.element("div").classes("form wide")

    @property
    def name(self) -> str:
        """Of the model; "" for none of them."""
        return str(self._select.value or "")

    def missing(self) -> list[str]:
        """Parameters that must be given, and are not."""
        return [one["name"] for one in self._parameters if one["default"] is None and not self._said(one["name"])]

    def section(self) -> dict[str, Any]:
        """What a device says of it."""
        given = {
            one["name"]: scalar(said)
            for one in self._parameters
            if (said := self._said(one["name"])) and said != _text(one["default"])
        }
        return {"template": self.name, **({"parameters": given} if given else {})} if self.name else {}

    @property
    def _parameters(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self._templates[self.name]["parameters"] if self.name else ()
        return found

    def _said(self, parameter: str) -> str:
        return str(self._fields[parameter].value or "").strip()

    def _show(self) -> None:
        self._box.clear()
        self._fields.clear()
        words, one = self._words, self._templates.get(self.name)
        put(self._about, Markup("") if one is None else _about(one, words))
        with self._box:
            for parameter in self._parameters:
                name, default = str(parameter["name"]), parameter["default"]
                label = name if default is not None else words("setup.template.must", name=name)
                field = ui.input(label, value=_text(default)).props("outlined dense").mark(f"parameter-{name}")
                if parameter["about"]:
                    field.tooltip(str(parameter["about"]))
                self._fields[name] = field
        self._changed()


def _about(template: Mapping[str, Any], words: Words) -> Markup:
    tags = template["tags"]
    names = ", ".join(tags[:_SHOWN]) + (" …" if len(tags) > _SHOWN else "")
    return Markup('<p class="remark" lang=en>{}</p><p class="soft">{}</p>').format(
        template["about"], words("setup.template.tags", n=len(tags), names=names)
    )


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
