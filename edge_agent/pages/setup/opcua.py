"""An OPC UA device by browsing: connect, open the tree, take what is wanted, with live values beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import card, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.chosen import Chosen
from edge_agent.pages.setup.kept import without_password
from edge_agent.pages.setup.sections import host_of, security_keys, slug, unique
from edge_agent.pages.setup.tree import Tree
from edge_agent.pages.tools import shown

SECURITIES: Final = ("none", "auto")


class OpcUa:
    """The form, the tree, the list; `name` of a device that is there already, whose tags are to be more."""

    def __init__(self, bench: Bench, name: str = "") -> None:
        self._bench = bench
        self._name = name
        self._old = bench.draft.entry("devices", name) if name else {}
        self._keys: dict[str, Any] = {}
        self._url = str(self._old.get("url") or "")
        words = bench.words
        with card(words("setup.opcua.title") if not name else words("setup.more_tags", name=name)):
            self._form()
            self._told = html("")
        self._tree_box = ui.element("div").classes("browse")

    def _form(self) -> None:
        words, old = self._bench.words, self._old
        with ui.element("div").classes("form"):
            self._address = (
                ui.input(words("setup.address"), value=self._url, placeholder="opc.tcp://10.0.0.7:4840")
                .props("outlined dense")
                .classes("wide")
                .mark("address")
            )
            self._id = (
                ui.input(words("setup.id"), value=self._name, placeholder="cnc-7")
                .props("outlined dense" + (" readonly" if self._name else ""))
                .mark("id")
            )
            if not old:
                self._security = ui.select(
                    {one: words(f"setup.security.{one}") for one in SECURITIES},
                    value="none",
                    label=words("setup.security"),
                ).props("outlined dense")
                self._user = ui.input(words("login.user")).props("outlined dense autocomplete=off")
                self._password = ui.input(words("login.password"), password=True).props(
                    "outlined dense autocomplete=new-password"
                )
                html(Markup('<p class="remark wide">{}</p>').format(words("setup.password_note"))).classes("wide")
            self._connect = (
                ui.button(words("setup.connect"), on_click=self.connect)
                .props("no-caps unelevated icon=cable")
                .mark("connect")
            )
        self._address.on("keydown.enter", self.connect)

    async def connect(self) -> None:
        """Ask the server what stands at the top."""
        bench, address = self._bench, str(self._address.value or "").strip()
        if not address:
            bench.say(bench.words("setup.missing", what=bench.words("setup.address")), "warning")
            return
        self._url = host_of(address, "opc.tcp", 4840)
        self._address.set_value(self._url)
        if self._old:
            self._keys = {key: value for key, value in self._old.items() if key in ("security", "login", "timeout")}
        else:
            self._keys = security_keys(
                str(self._security.value), str(self._user.value or ""), str(self._password.value or "")
            )
        self._connect.props("loading")
        try:
            found = await bench.ask("/browse/children", {"url": self._url, "node": "", "keys": self._keys})
        finally:
            self._connect.props(remove="loading")
        if found is None:
            return
        said = found["told"][-1].partition(": ")[2] if found["told"] else ""
        self._told.set_content(
            str(
                Markup('<p class="told-ok"><span class="q q-good"><i aria-hidden="true">●</i>{}</span> {}</p>').format(
                    bench.words("connections.state.connected"), said
                )
            )
        )
        if not self._id.value:
            self._id.set_value(
                unique(slug(said.partition(" ")[0] if said else "opcua", "opcua"), bench.draft.group("devices"))
            )
        self._show(found)

    def _show(self, found: Mapping[str, Any]) -> None:
        words = self._bench.words
        for timer in self._bench.timers:
            timer.cancel()
        self._bench.timers.clear()
        self._tree_box.clear()
        with self._tree_box:
            with card(
                words("setup.opcua.tree"), Markup('<span class="soft">{}</span>').format(words("setup.opcua.tree.note"))
            ):
                tree_box = ui.element("div").classes("tree")
            with ui.element("div").classes("side"):
                self._chosen = Chosen(self._bench, self._read, self._old.get("tags") or {})
                ui.button(words("setup.take"), on_click=self._take).props("no-caps unelevated icon=add_task").classes(
                    "take"
                ).mark("take")
        nodes = {str(tag.get("node")) for tag in (self._old.get("tags") or {}).values() if isinstance(tag, dict)}
        Tree(self._bench, tree_box, self._children, self._chosen, nodes).show(found)

    async def _children(self, node: str) -> Any:
        return await self._bench.ask("/browse/children", {"url": self._url, "node": node, "keys": self._keys})

    async def _read(self, tags: Mapping[str, dict[str, Any]]) -> Mapping[str, str]:
        """The live values of chosen tags, by node."""
        nodes = {key: str(tag["node"]) for key, tag in tags.items()}
        answer = await self._bench.visit.post(
            "/browse/probe",
            {"url": self._url, "addresses": list(nodes.values()), "reads": 1, "every": "100ms", "keys": self._keys},
        )
        first: dict[str, str] = {}
        for reading in answer["readings"]:
            if reading["values"]:
                first.setdefault(reading["address"], shown.value(reading["values"][-1]))
        return {key: first.get(node, "–") for key, node in nodes.items()}

    async def _take(self) -> None:
        """Into the draft."""
        bench, name = self._bench, str(self._id.value or "").strip()
        tags = self._chosen.tags()
        if tags is None:
            return
        if not bench.can_be_called(name, "devices", self._name):
            return

        if not self._name:
            keys = await without_password(self._keys, name, bench.ask)
            if keys is None:
                return
            self._keys = keys

        def change() -> None:
            if self._name:
                for id_, tag in tags.items():
                    bench.draft.put(("devices", name, "tags", id_), tag)
            else:
                bench.draft.put(("devices", name), {"driver": "opcua", "url": self._url, **self._keys, "tags": tags})

        if await bench.change(change):
            bench.say(bench.words("setup.taken", name=name), "positive")
            await bench.go("devices")
