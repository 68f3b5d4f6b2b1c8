"""A tree of what equipment has, opened a branch at a time; what is chosen goes to the list beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.chosen import Chosen


class Tree:
    """`children(node)` asks for what stands below a node; None where that failed."""

    def __init__(
        self,
        bench: Bench,
        box: ui.element,
        children: Callable[[str], Awaitable[Any]],
        chosen: Chosen,
        known: Collection[str],
    ) -> None:
        self.bench = bench
        self.children = children
        self.chosen = chosen
        self.known = known
        """nodes that are tags already"""
        self._box = box

    def show(self, found: Mapping[str, Any]) -> None:
        """The first branches."""
        self.fill(self._box, found)

    async def inside(self, child: Mapping[str, Any]) -> Any:
        """What stands below it: asked of the equipment, but for the fields of a structure, which are known."""
        return fields_of(child) if child["field_tags"] else await self.children(child["node"])

    def fill(self, box: ui.element, found: Mapping[str, Any]) -> list[Leaf]:
        """Draw the answer's children into the box."""
        leaves: list[Leaf] = []
        with box:
            for child in found["children"]:
                if child["sort"] == "object" or child["field_tags"]:
                    Branch(self, child)
                else:
                    leaves.append(Leaf(self, child))
            if not found["children"]:
                html(Markup('<p class="soft empty">{}</p>').format(self.bench.words("setup.opcua.empty")))
            if found["cut"]:
                html(Markup('<p class="remark">{}</p>').format(self.bench.words("setup.opcua.cut")))
        return leaves


class Branch:
    """An object, or a structure; closed until somebody opens it."""

    def __init__(self, tree: Tree, child: Mapping[str, Any]) -> None:
        self._tree = tree
        self._child = child
        self._loaded = False
        self._leaves: list[Leaf] = []
        words = tree.bench.words
        with ui.element("div").classes("branch"):
            with ui.element("div").classes("node object"):
                fold = html(_fold(False, child, words("setup.opcua.machine"))).classes("fold grow")
                self._fold = attributes(fold.props("role=button tabindex=0"), data_node=child["name"])
                self._all = ui.button(words("setup.opcua.all"), on_click=self._take_all).props(
                    "no-caps flat dense size=sm"
                )
                self._all.set_visibility(False)
            self._box = ui.element("div").classes("inner")
            self._box.set_visibility(False)
        self._fold.on("click", self._turn).on("keydown.enter", self._turn)

    async def _turn(self) -> None:
        """Open or close; the first time ask what is inside."""
        if not self._loaded:
            found = await self._tree.inside(self._child)
            if found is None:
                return
            self._loaded = True
            self._leaves = self._tree.fill(self._box, found)
        is_open = not self._box.visible
        self._box.set_visibility(is_open)
        self._all.set_visibility(is_open and any(leaf.may_be_chosen for leaf in self._leaves))
        self._fold.set_content(str(_fold(is_open, self._child, self._tree.bench.words("setup.opcua.machine"))))

    def _take_all(self) -> None:
        for leaf in self._leaves:
            leaf.take()


class Leaf:
    """A variable, with the value it had when it was found."""

    def __init__(self, tree: Tree, child: Mapping[str, Any]) -> None:
        self._tree = tree
        self._child = child
        self.may_be_chosen = child["tag"] is not None and child["node"] not in tree.known
        words = tree.bench.words
        with ui.element("div").classes("node variable"):
            box = ui.checkbox(on_change=self._changed).props("dense")
            self._box = attributes(box, aria_label=child["name"])
            self._box.set_enabled(self.may_be_chosen)
            if not self.may_be_chosen and child["tag"] is not None:
                self._box.set_value(True)
            html(_leaf(child, words("setup.opcua.writable"))).classes("grow pair")

    def take(self) -> None:
        """Choose it."""
        if self.may_be_chosen:
            self._box.set_value(True)

    def _changed(self, event: Any) -> None:
        child, chosen = self._child, self._tree.chosen
        if not self.may_be_chosen:
            return
        if event.value:
            tag = {**child["tag"], **({"names": True} if child["names"] else {})}
            chosen.add(child["node"], child["name"], tag, child["node"], child["value"].strip("'"))
        else:
            chosen.remove(child["node"])


def _fold(is_open: bool, child: Mapping[str, Any], machine: str) -> Markup:
    badge = Markup("")
    if child["machine"]:
        badge = Markup('<span class="badge follows">{} {}</span>').format(machine, child["machine"])
    return Markup(
        '<i class="material-icons" aria-hidden="true">{}</i>'
        '<i class="material-icons kind" aria-hidden="true">{}</i><b>{}</b>{}'
    ).format(
        "expand_more" if is_open else "chevron_right",
        "precision_manufacturing" if child["machine"] else "data_object" if child["field_tags"] else "folder",
        child["name"],
        badge,
    )


def fields_of(child: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a structure, each as if it stood below it."""
    nothing = {"display": "", "sort": "variable", "kind": "", "unit": "", "value": "", "status": "", "writable": False,
               "names": {}, "field_tags": {}, "machine": None}  # fmt: skip
    fields = [
        {**nothing, "name": f"{child['name']}.{field}", "node": tag["node"], "tag": tag}
        for field, tag in child["field_tags"].items()
    ]
    return {"children": fields, "cut": False}


def _leaf(child: Mapping[str, Any], writable: str) -> Markup:
    value = child["value"].strip("'") if not child["status"] else child["status"]
    more = " · ".join(filter(None, (child["kind"], child["display"], writable if child["writable"] else "")))
    return Markup(
        '<span class="leaf"><b>{}</b><small class="soft">{}</small></span>'
        '<span class="live{}">{}<small> {}</small></span>'
    ).format(child["name"], more, " trouble" if child["status"] else "", value, child["unit"])
