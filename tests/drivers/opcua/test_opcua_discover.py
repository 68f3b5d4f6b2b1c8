"""Discovery of OPC UA servers: what is listed, and that neither the server's end nor our own loses what was found."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from asyncua import ua
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent import registry
from edge_agent.api import Discovery, Inquiry, NotConnected, Refused
from edge_agent.config import load
from edge_agent_opcua import address
from edge_agent_opcua.commission import search as searching
from edge_agent_opcua.commission.listing import Said, field_in_site_file, listed
from edge_agent_opcua.commission.memory import Memory
from edge_agent_opcua.commission.naming import ids_of, slug
from edge_agent_opcua.commission.spelling import in_site_file, node_of, spelled
from edge_agent_opcua.commission.target import target_of
from edge_agent_opcua.commission.tools import OpcUaTools
from edge_agent_opcua.commission.tree import OBJECT, VARIABLE, Node, Tree
from tests.peers.misbehaving import environment
from tests.peers.opcua_world import Process
from tests.peers.process import Peer
from tests.peers.waiting import free_port

PEERS = Path(__file__).parents[2] / "peers"
NODE = PEERS / "node"
PLANT = "nsu=http://acme.example/plant/;s="
MANY = 2000
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# `edge-agent discover …` in a process of its own, whichever drivers are plugged in.
COMMAND = [
    sys.executable, "-c",
    "import sys; from edge_agent import cli, field_tools; from edge_agent_opcua.commission.tools import OpcUaTools; "
    "field_tools.tools_for = lambda url: OpcUaTools(); sys.exit(cli.main())",
]  # fmt: skip


class Server(Peer):
    """The plant of `opcua_tree_server.py`."""

    def __init__(self, *options: object) -> None:
        self.port = free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        super().__init__(self._with(*options))

    def restart(self, *options: object) -> None:
        """Be killed, and come back as another run."""
        self.kill()
        self._command = self._with(*options)
        self.start()

    def _with(self, *options: object) -> list[str]:
        return [sys.executable, str(PEERS / "opcua_tree_server.py"), str(self.port), *map(str, options)]


@pytest.fixture(scope="module")
def plant() -> Iterator[Server]:
    """One for all tests that leave it alive."""
    with Server("--many", MANY) as running:
        yield running


@pytest.fixture(scope="module")
def whole(plant: Server) -> Discovery:
    """Everything, found once."""
    return asyncio.run(discover(plant.url))


async def discover(
    url: str,
    tell: Callable[[str], None] = lambda _: None,
    enough: Callable[[], bool] = lambda: False,
    keys: Mapping[str, Any] | None = None,
    **options: str,
) -> Discovery:
    """What `edge-agent discover` prints."""
    return await OpcUaTools().discover(url, Inquiry(tell, enough, options, keys or {}))


def tags_of(found: Discovery) -> dict[str, Any]:
    """The tags of the only device of the section."""
    [device] = yaml.safe_load(found.section)["devices"].values()
    return dict(device["tags"])


def nodes_of(found: Discovery) -> set[str]:
    """The node ids of the rows."""
    return {row["address"] for row in found.rows}


# -- names, spelling, memory ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("CurMachSpeed", "cur-mach-speed"), ("HTTPServer2", "http-server2"), ("Größe [mm]", "grosse-mm"),
        ("Axis_1.Load", "axis-1-load"), ("温度", ""), ("  ", ""), ("T5", "t5"),
    ],
)  # fmt: skip
def test_a_browse_name_becomes_a_readable_id(name: str, id_: str) -> None:
    assert slug(name) == id_


def test_what_tells_tags_apart_stands_before_the_name_and_nothing_else_does() -> None:
    machine = ["MachineryBuildingBlocks", "MachineryItemState", "CurrentState"]
    paths = [["CNC-7", *machine], ["Robot", *machine], ["Robot", "Gripper", *machine], ["Line", "Speed"]]
    paths += [["温度"], ["压力"]]
    assert ids_of(paths) == [
        "cnc-7-current-state", "robot-current-state", "gripper-current-state", "speed", "tag", "tag-2",
    ]  # fmt: skip


@given(st.lists(st.lists(st.text(max_size=40), min_size=1, max_size=5), max_size=40))
def test_every_path_gets_an_id_of_its_own_that_the_site_file_takes(paths: list[list[str]]) -> None:
    ids = ids_of(paths)
    assert len(ids) == len(paths) == len(set(ids))
    assert all(ID.fullmatch(one) for one in ids)


IDENTIFIERS = st.one_of(
    st.integers(0, 2**32 - 1), st.text(min_size=1).map(lambda text: "x" + text + "x"), st.binary(min_size=1), st.uuids()
)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)
URIS = TEXTS.map(lambda text: f"urn:{text}:x")
STANDARD = "http://opcfoundation.org/UA/"


@example("a#b;c%3B", ["urn:a%3Bb;c#d%25"], 1)
@given(IDENTIFIERS, st.lists(URIS, min_size=1, max_size=4, unique=True), st.integers(1, 4))
def test_a_node_id_is_found_again_as_it_is_spelled(
    identifier: int | str | bytes | uuid.UUID, uris: list[str], n: int
) -> None:
    namespaces = [STANDARD, *uris]
    node = ua.NodeId(identifier, min(n, len(uris)))
    text = spelled(node, namespaces)
    assert node_of(text, namespaces) == node
    assert node_of(text, [STANDARD, "urn:another-one", *uris]) == ua.NodeId(identifier, node.NamespaceIndex + 1)
    where = address.parse(in_site_file(text))
    assert (where.start.identifier, where.start.uri) == (identifier, namespaces[node.NamespaceIndex])
    assert (where.segments, where.field) == ((), ())


@given(TEXTS)
def test_a_field_is_found_again_as_it_is_spelled(name: str) -> None:
    if name == name.strip():        # a trailing blank of a whole address is taken off
        assert address.parse(f"ns=2;s=Job#{field_in_site_file(name)}").field == (name,)


def test_a_remembered_step_that_was_cut_off_is_dropped_and_the_rest_goes_on(tmp_path: Path) -> None:
    path, whose = tmp_path / "found.jsonl", {"url": "opc.tcp://h:4840", "under": "/Objects"}

    async def remember() -> None:
        first = Memory(path, whose)
        await first.recall()
        await first.keep({"browsed": ["i=85"]})
        await first.keep({"browsed": ["i=86"]})

    asyncio.run(remember())
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        memory = Memory(path, whose)
        asyncio.run(memory.recall())
        assert len(memory.steps) == max(0, whole[:end].count(b"\n") - 1)
        asyncio.run(memory.keep({"browsed": []}))
        assert path.read_bytes().endswith(b'\n{"browsed":[]}\n')
        again = Memory(path, whose)
        asyncio.run(again.recall())
        assert again.steps == [*memory.steps, {"browsed": []}]


def test_a_memory_of_another_search_is_no_memory_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    asyncio.run(Memory(path, {"url": "opc.tcp://a:4840"}).recall())
    with pytest.raises(ValueError, match=r"is of a search with url opc.tcp://a:4840, not opc.tcp://b:4840"):
        asyncio.run(Memory(path, {"url": "opc.tcp://b:4840"}).recall())
    path.write_text("a list of tags\n")
    with pytest.raises(ValueError, match="is not what an earlier search has kept"):
        asyncio.run(Memory(path, {"url": "opc.tcp://a:4840"}).recall())
    assert path.read_text() == "a list of tags\n"


def test_a_password_is_not_printed() -> None:
    target = target_of("opc.tcp://h", {"login": {"user": "edge", "password": "s3cret"}, "timeout": "2s"})
    tree = Tree(Node("i=85", OBJECT, "", "Objects", "", "", "", 0))
    section = listed(target, Said("", "", ()), tree, "").section
    assert "s3cret" not in section
    device = yaml.safe_load(section)["devices"]["opcua"]
    assert device["login"] == {"user": "edge", "password": "${OPCUA_PASSWORD}"}
    assert device["timeout"] == "2s"


def test_what_a_server_says_cannot_break_out_of_its_comment() -> None:
    tree = Tree(Node("i=85", OBJECT, "", "Objects", "", "", "", 0))
    tree.take({
        "found": [["ns=1;s=a\nb", VARIABLE, "", "x\ndriver: evil", "y\r\n- z\x1b[2J", "", "i=85"]],
        "facts": {"ns=1;s=a\nb": {"type": "Double", "builtin": 11, "value": "1\n2", "said_unit": "\n#"}},
    })  # fmt: skip
    section = listed(target_of("opc.tcp://h", {}), Said("p\nq", "p\nq", ("o\np",)), tree, "e").section
    [device] = yaml.safe_load(section)["devices"].values()
    assert device == {
        "driver": "opcua", "url": "opc.tcp://h:4840", "tags": {"x-driver-evil": {"node": "ns=1;s=a\nb"}},
    }  # fmt: skip


# -- what is found -------------------------------------------------------------------------------


async def test_variables_are_listed_with_type_unit_range_and_value_and_check_takes_the_section(
    plant: Server, tmp_path: Path
) -> None:
    told: list[str] = []
    found = await discover(plant.url, told.append, keys={"timeout": "8s"})
    tags = tags_of(found)
    speed = PLANT + "CurMachSpeed"
    assert tags["cur-mach-speed"] == {"node": speed, "unit": "{rev}/min", "range": [0, 120]}
    assert tags["quoted"] == {"node": PLANT + '"DB1"."Speed" ##2'}
    assert tags["axes"] == {"node": PLANT + "Axes", "index": "0-2"}
    assert tags["cell3-value7"] == {"node": PLANT + "v157"}
    assert "secret" not in tags
    assert len(tags) == 9 + MANY + 3
    for line in (
        "# UInt32, 1, names: true gives 0 Off, 1 Green, 2 Red", "# Double, 61.5", "# Double, 60, writable",
        "# /Objects/Plant/Press 1", "# Int32, 1, not readable for this user", "# Float[1000], [0, 0, 0, 0, …]",
        f"#   job-data-type: {{node: '{PLANT}Job#DataType'}}", "# offers no security: anonymous",
    ):  # fmt: skip
        assert line in found.section, line
    site = tmp_path / "site.yaml"
    site.write_text(f"agent: {{id: gw-01}}\n{found.section}")
    loaded = load(site, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    [device] = loaded.devices.values()
    assert device.addresses() == (plant.url,)
    assert told[0].endswith("offers no security: anonymous, user and password")
    assert re.search(r"^\d+ nodes seen, \d+ variables found, \d+ nodes/s, 0 to be looked at$", told[-1])


def test_each_node_is_listed_once_though_the_tree_goes_in_circles(whole: Discovery) -> None:
    found = whole
    addresses = [row["address"] for row in found.rows]
    assert len(addresses) == len(set(addresses)) == 9 + MANY + 3
    keys = list(found.rows[0])
    assert keys[:8] == ["device", "tag", "address", "type", "order", "scale", "offset", "unit"]
    assert all(list(row) == keys for row in found.rows)
    speed = next(row for row in found.rows if row["tag"] == "cur-mach-speed")
    assert (speed["type"], speed["low"], speed["high"], speed["value"]) == ("Double", "0", "120", "61.5")
    assert speed["path"] == "/Objects/Plant/Press 1/CurMachSpeed"


def test_machines_of_companion_specifications_are_recognised_by_type_and_their_parts_are_none(
    whole: Discovery,
) -> None:
    section = whole.section
    device = next(iter(yaml.safe_load(section)["devices"]))
    commented = section[section.index("# machines:") :]
    machines = yaml.safe_load("\n".join(line[2:] for line in commented.splitlines()))["machines"]
    assert list(machines) == ["filler-1", "cnc-7", "robot", "conveyor"]
    assert machines["filler-1"] == {"packml": {"device": device, "node": PLANT + "filler"}, "ideal_cycle": "1s"}
    assert machines["cnc-7"]["machinetool"] == {"device": device, "node": PLANT + "cnc"}
    assert machines["robot"]["machinery"] == {"device": device, "node": PLANT + "robot"}
    assert "machinery" not in machines["conveyor"]


@pytest.mark.parametrize("under", ["i=2253", "/Objects/Server"])
async def test_the_server_object_is_only_looked_into_when_asked_for(plant: Server, under: str) -> None:
    assert "i=2258" not in nodes_of(await discover(plant.url, limit="100"))
    assert "i=2258" in nodes_of(await discover(plant.url, under=under, depth="3"))


async def test_depth_and_limit_end_the_search_and_it_says_so(plant: Server) -> None:
    flat = await discover(plant.url, under="/Objects/Plant", depth="1")
    assert flat.rows == []
    assert "tags: {}" in flat.section
    two = await discover(plant.url, under="/Objects/Plant", depth="2")
    assert len(two.rows) == 9 + MANY
    told: list[str] = []
    some = await discover(plant.url, told.append, limit="300")
    assert 200 < len(some.rows) < 300
    assert "# not everything was looked at: --limit allows 300 nodes" in some.section
    assert "ended before everything was looked at" in told


async def test_properties_are_listed_when_asked_for(plant: Server) -> None:
    path = {"under": f"{PLANT}Press 1", "depth": "2"}
    plain, all_ = await discover(plant.url, **path), await discover(plant.url, properties="yes", **path)
    assert {row["tag"] for row in plain.rows} >= {"total", "lamp"}
    assert {row["path"] for row in all_.rows} - {row["path"] for row in plain.rows} >= {"/Press 1/Lamp/EnumStrings"}


@pytest.mark.parametrize(
    ("options", "keys", "what"),
    [
        ({"units": "1"}, {}, "there is no --units with an OPC UA server; there are depth, limit, "),
        ({"under": "Plant"}, {}, "--under Plant: is neither a node id nor a browse path"),
        ({"under": "i=85#A"}, {}, "--under i=85#A: names a field"),
        ({"depth": "0"}, {}, "--depth 0: not a number from 1 to 100"),
        ({}, {"tags": {}}, "tags cannot be set here"),
        ({}, {"timout": "1s"}, "timout: is no key of an OPC UA device; did you mean timeout?"),
        ({}, {"timeout": 5}, "timeout: needs a unit"),
        ({"resume": "/nowhere/at/all"}, {}, "--resume /nowhere/at/all: No such file or directory"),
    ],
)
async def test_what_is_wrong_is_named_before_anything_is_asked(
    options: dict[str, str], keys: dict[str, Any], what: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        await discover("opc.tcp://127.0.0.1:1", keys=keys, **options)


async def test_a_server_that_is_not_there_and_a_node_that_is_not_there_are_said(plant: Server) -> None:
    with pytest.raises(ValueError, match="'http://h' is not an OPC UA address"):
        await discover("http://h")
    with pytest.raises(NotConnected, match=r"opc.tcp://127.0.0.1:1: "):
        await discover("opc.tcp://127.0.0.1:1")
    with pytest.raises(Refused, match=r"--under /Objects/Plannt: .*did you mean"):
        await discover(plant.url, under="/Objects/Plannt")
    with pytest.raises(Refused, match="--under i=99999: BadNodeIdUnknown"):
        await discover(plant.url, under="i=99999")


# -- what interrupts it --------------------------------------------------------------------------


async def test_a_search_goes_on_when_the_server_restarts_with_its_namespaces_in_another_order() -> None:
    many, slow = ("--many", 200), ("--slow", 30)
    with Server(*many, *slow) as server:
        half = asyncio.Event()
        told: list[str] = []

        def tell(line: str) -> None:
            told.append(line)
            if re.match(r"[12]\d\d nodes seen", line):
                half.set()

        searching_ = asyncio.create_task(discover(server.url, tell))
        async with asyncio.timeout(100):
            await half.wait()
            assert not searching_.done()
            await asyncio.to_thread(server.restart, *many, "--turned")
            found = await searching_
        lost = [line for line in told if "trying again in" in line]
        assert lost
        assert any(line.endswith("connected again") for line in told)
        undisturbed = await discover(server.url)
    assert nodes_of(found) == nodes_of(undisturbed)
    assert tags_of(found).keys() == tags_of(undisturbed).keys()
    assert "not looked into" not in found.section


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "restarts" in request.node.name:
        monkeypatch.setattr(searching, "STEP", 10)
        monkeypatch.setattr(searching, "_TOLD_EVERY_S", 0.0)


def start(*arguments: str) -> subprocess.Popen[str]:
    """`edge-agent discover …`, to be interrupted."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, "discover", *arguments], stdout=pipe, stderr=pipe, text=True, env=environment())


async def test_a_search_that_was_killed_goes_on_from_where_it_was(tmp_path: Path) -> None:
    memory = tmp_path / "found.jsonl"
    with Server("--many", 300, "--slow", 150) as server:
        with start(server.url, "--resume", str(memory)) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if re.match(r"\d{3} nodes seen", line):
                    break
            process.kill()
        known = [json.loads(line) for line in memory.read_text().splitlines()[1:]]
        before = {id_ for step in known for id_ in step["browsed"]}
        assert 0 < len(before) < 320
        told: list[str] = []
        found = await discover(server.url, told.append, resume=str(memory))
    later = [json.loads(line) for line in memory.read_text().splitlines()[1 + len(known) :]]
    assert any(re.search(r"\d+ nodes and \d+ variables are known from before", line) for line in told)
    assert not before & {id_ for step in later for id_ in step["browsed"]}
    assert len(found.rows) == 9 + 300 + 3
    assert "# machines:" in found.section


def test_ctrl_c_ends_it_with_what_was_found_so_far() -> None:
    with Server("--many", 300, "--slow", 150) as server, start(server.url) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if re.match(r"\d{3} nodes seen", line):
                break
        process.send_signal(signal.SIGINT)
        told, section = process.stderr.read(), process.stdout.read()
    assert process.returncode == 0
    assert "ending with what was found so far" in told
    assert "# not everything was looked at: ended by whoever asked" in section
    [device] = yaml.safe_load(section)["devices"].values()
    assert device["tags"]["cur-mach-speed"]["unit"] == "{rev}/min"


async def test_a_question_that_breaks_every_line_ends_the_search_with_what_was_found(
    plant: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def breaking(*_: object) -> Any:
        nonlocal asked
        asked += 1
        raise NotConnected("the server hangs up")

    monkeypatch.setattr(searching, "described", breaking)
    monkeypatch.setattr("edge_agent_opcua.commission.asker._AGAIN_S", (0.01,))
    found = await discover(plant.url)
    assert asked == 4
    assert "# not everything was looked at: the server hangs up" in found.section


# -- servers of others ---------------------------------------------------------------------------


@pytest.fixture
def companion(tmp_path: Path) -> Iterator[str]:
    """node-opcua with the types that the OPC Foundation publishes."""
    if shutil.which("node") is None or not (NODE / "node_modules" / "node-opcua").is_dir():
        pytest.skip("needs node-opcua: run tests/peers/install.sh")
    port = free_port()
    peer = Process(["node", str(NODE / "companion.js"), str(port), str(tmp_path)], patience=60)
    yield f"opc.tcp://127.0.0.1:{port}"
    peer.kill()


@pytest.mark.peer
async def test_machines_with_the_published_types_are_recognised(companion: str) -> None:
    section = (await discover(companion)).section
    commented = section[section.index("# machines:") :]
    machines = yaml.safe_load("\n".join(line[2:] for line in commented.splitlines()))["machines"]
    keys = {name: next(iter(machine)) for name, machine in machines.items()}
    assert keys == {"filler": "packml", "lathe": "machinetool", "robot": "machinery"}
    assert machines["filler"]["packml"]["node"].endswith(";s=Filler")


@pytest.mark.peer
async def test_a_server_of_others_is_discovered_with_what_it_offers(node_server: Any) -> None:
    told: list[str] = []
    found = await discover(node_server.url, told.append)
    assert "offers Basic256Sha256 SignAndEncrypt: user and password, certificate, anonymous" in told[0]
    tags = tags_of(found)
    assert {"fast", "speed", "level", "mode", "n0", "n119"} <= tags.keys()
    assert re.search(r"nsu=urn:.*;s=Speed$", tags["speed"]["node"])
    assert "names: true gives 0 Running, 1 Failed" in found.section
