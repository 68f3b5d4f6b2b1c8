"""From addresses to nodes, on servers in other processes: one of asyncua, one of node-opcua."""

from __future__ import annotations

import time

import pytest
from asyncua import ua

from edge_agent_opcua.address import Address, parse, with_word
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.limits import Limits, Operation
from edge_agent_opcua.resolve import resolve
from tests.peers.opcua_model import MACHINE, OURS, PARTS, asking, model_server, shared_model, shared_node_model


@pytest.fixture(scope="module")
def peer(pytestconfig):
    return shared_model(pytestconfig)


@pytest.fixture
async def found(peer):
    """`await found(address, …)`: a node id as text, or why not, for each."""
    async with asking(peer) as (requests, namespaces):

        async def resolved(*addresses: str | Address) -> list[str]:
            parsed = [parse(one) if isinstance(one, str) else one for one in addresses]
            return [
                one.why or one.node.to_string() for one in await resolve(requests, parsed, namespaces)
            ]

        resolved.requests, resolved.namespaces = requests, namespaces
        yield resolved


async def test_a_node_is_found_by_id_by_whole_names_by_names_alone_and_by_wildcards(found):
    assert await found(
        "ns=2;s=Speed", f"nsu={MACHINE};s=Speed", "/Objects/2:Line/2:Press/2:Speed",
        f"/Objects/nsu={MACHINE};Line/nsu={MACHINE};Press/nsu={MACHINE};Speed", "/Objects/Line/Press/Speed",
        "/Objects/2:Line/Press/Speed", "/Objects/Line/2:Press/2:Speed", "/Objects/L?ne/P*/Spee*",
        parse("ns=2;s=Speed", ""), parse("/Objects/2:Line", "2:Press/Speed"), "/Objects/2:Line/2:Press/2:Speed#Field",
    ) == ["ns=2;s=Speed"] * 11  # fmt: skip


async def test_properties_and_nodes_of_the_standard_are_found_too(found):
    [speed_range, state, types] = await found(
        parse("ns=2;s=Speed", "EURange"), "/Objects/Server/ServerStatus/State", "/Types/0:DataTypes"
    )
    assert speed_range.startswith("ns=2;i=")
    assert (state, types) == ("i=2259", "i=90")


async def test_names_with_reserved_characters_are_found_as_they_are_written(found):
    names = {
        "Odd&/Name##1": "Odd/Name#1", "A&&B": "A&B", "Star&*": "Star*", "2&:Two": "2:Two", "What&?": "What?",
        "&<b>": "<b>",
    }  # fmt: skip
    loose = await found(*(f"/Objects/Line/{written}" for written in names))
    whole = await found(*(f"/Objects/2:Line/2:{written}" for written in names))
    assert loose == whole == [f"ns=2;s=odd {name}" for name in names.values()]


async def test_the_same_name_in_two_namespaces_is_told_apart_and_asked_about(found):
    assert await found("/Objects/Line/Axis2/3:Load", f"/Objects/Line/Axis2/nsu={PARTS};Load") == ["ns=3;s=Load2"] * 2
    [why] = await found("/Objects/Line/Axis2/Load")
    assert why == (
        "means 2 nodes: /Objects/2:Line/2:Axis2/2:Load, /Objects/2:Line/2:Axis2/3:Load; "
        "write more of the path, for example /Objects/2:Line/2:Axis2/2:Load"
    )


async def test_a_wildcard_that_means_several_says_which_words_make_a_tag_of_each(found):
    [why] = await found("/Objects/Line/Axis*/2:Load")
    assert why == (
        "means 3 nodes: /Objects/2:Line/2:Axis1/2:Load, /Objects/2:Line/2:Axis2/2:Load, "
        "/Objects/2:Line/2:Axis3/2:Load; "
        'for a tag each, write each: ["1", "2", "3"]'
    )
    words = [with_word("/Objects/Line/Axis*/2:Load", word) for word in ("1", "2", "3")]
    assert await found(*words) == ["ns=2;s=Load1", "ns=2;s=Load2", "ns=2;s=Load3"]
    [why] = await found("/Objects/Line/*is*/2:Load")
    assert "each:" not in why
    assert "write more of the path" in why


async def test_a_list_of_nodes_that_is_long_is_cut(found):
    [why] = await found("/Objects/Line/*")
    assert ", 2:" not in why.partition(" and ")[2]
    assert " more" in why


async def test_two_nodes_of_one_name_need_their_node_ids(found):
    whole, loose = await found("/Objects/2:Line/2:Twice/2:Same", "/Objects/Line/Twice/Same")
    assert whole == loose == (
        "means 2 nodes: /Objects/2:Line/2:Twice/2:Same (ns=2;s=Same1), "
        "/Objects/2:Line/2:Twice/2:Same (ns=2;s=Same2); write the node id"
    )


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("/Objects/2:Line/2:Pres/2:Speed", "/Objects/2:Line has no 2:Pres; did you mean 2:Press? there are 2:"),
        ("/Objects/Line/axi1/Load", "/Objects/2:Line has no axi1; did you mean 2:Axis1? there are"),
        ("/Objects/2:Line/3:Axis1/2:Load", "/Objects/2:Line has no 3:Axis1; did you mean 2:Axis1? there are"),
        ("/Objects/2:Line/2:Press/2:Zz", "/Objects/2:Line/2:Press has no 2:Zz; there are 2:Speed, 2:Temp"),
        ("/Objects/2:Line/2:Press/2:Temp/2:X", "/Objects/2:Line/2:Press/2:Temp has no 2:X: nothing lies below it"),
        ("/Objects/Line/Q*", "/Objects/2:Line has no Q*; there are"),
        ("/Objects/Line/Axis*/Lod", "/Objects/2:Line/2:Axis1 and 2 more has no Lod; did you mean 2:Load?"),
        ("/Objcts/Line", "/ has no Objcts; did you mean Objects? there are Objects, Types, Views"),
        ("/Objects/nsu=http://gone/;Line", "the server has no namespace http://gone/"),
        ("nsu=http://gone/;s=Line", "the server has no namespace http://gone/"),
    ],
)
async def test_a_name_that_is_missing_says_where_and_what_there_is_instead(found, address, why):
    [told] = await found(address)
    assert told.startswith(why)


async def test_a_path_from_a_node_that_does_not_exist_says_so_and_stops_no_other(found):
    bad = parse("ns=2;s=Nowhere", "A/B")
    whole = parse("ns=2;s=Nowhere", "2:A/2:B")
    whys = await found(bad, "/Objects/Line/Press/Speed", whole, "/Objects/2:Line/2:Axis1/2:Load")
    assert whys[0].startswith("ns=2;s=Nowhere does not exist on the server (Bad")
    assert whys[2] == whys[0]
    assert [whys[1], whys[3]] == ["ns=2;s=Speed", "ns=2;s=Load1"]


async def test_node_ids_cost_no_request_and_a_shared_way_is_gone_once(found):
    requests = found.requests
    await found("ns=2;s=a", "i=85", f"nsu={MACHINE};s=b")
    assert requests.calls == {}
    await found(*(f"/Objects/2:Line/2:Axis{number}/2:Load" for number in (1, 2, 3)))
    # one for the three parents, one for the three below them
    assert (requests.calls, requests.nodes) == ({Operation.TRANSLATE: 2}, {Operation.TRANSLATE: 6})
    requests.calls.clear()
    requests.nodes.clear()
    await found(*(f"/Objects/Line/Axis{number}/Load" for number in (1, 2, 1, 3)))
    assert requests.nodes == {Operation.TRANSLATE: 1, Operation.BROWSE: 5}


async def test_a_server_that_takes_few_at_a_time_is_asked_for_few(found):
    found.requests.limits = Limits({Operation.BROWSE: 1, Operation.TRANSLATE: 2})
    nodes = await found(*(f"/Objects/2:Line/2:Axis{number}/2:Load" for number in (1, 2, 3)), "/Objects/Line/Axis1/Load")
    assert nodes == ["ns=2;s=Load1", "ns=2;s=Load2", "ns=2;s=Load3", "ns=2;s=Load1"]


async def test_namespaces_in_another_order_are_other_nodes_and_are_found_again():
    with model_server("--namespace", PARTS, "--namespace", MACHINE) as peer:
        async with asking(peer) as (requests, namespaces):
            address = parse(f"/Objects/nsu={MACHINE};Line/nsu={MACHINE};Press/nsu={MACHINE};Speed")
            [found] = await resolve(requests, [address], namespaces)
    assert found.node == ua.NodeId("Speed", 3)


async def test_what_the_requests_raise_is_raised(found):
    def broken(_paths):
        raise ConnectionError("the line is broken")

    found.requests._session = type("Session", (), {"translate_browsepaths_to_nodeids": staticmethod(broken)})
    with pytest.raises(ConnectionError, match="the line is broken"):
        await found("/Objects/2:Line")


class Answers(Requests):
    """A server that answers what is said."""

    def __init__(self, translated=(), browsed=None):
        super().__init__(None)
        self._translated_to, self._browsed = list(translated), browsed or {}

    async def translate(self, paths):
        return [self._translated_to.pop(0) for _ in paths]

    async def browse(self, nodes, **_):
        return [self._browsed[node] for node in nodes]


def browsed(status=0, *children):
    references = [ua.ReferenceDescription(BrowseName=ua.QualifiedName(n, 1), NodeId=node) for n, node in children]
    return type("Browsed", (), {"status": ua.StatusCode(status), "references": references})


async def test_a_node_that_may_not_be_browsed_stops_no_other():
    denied = browsed(ua.StatusCodes.BadUserAccessDenied)
    requests = Answers(browsed={
        ua.NodeId(84): browsed(0, ("A", ua.NodeId(1, 1)), ("B", ua.NodeId(2, 1))),
        ua.NodeId(1, 1): denied, ua.NodeId(2, 1): browsed(0, ("X", ua.NodeId(3, 1))),
    })  # fmt: skip
    found = await resolve(requests, [parse("/A/X"), parse("/B/X"), parse("/*/X")], ["", "b"])
    assert [one.why for one in found] == ["/1:A cannot be browsed: BadUserAccessDenied", "", ""]
    assert [one.node for one in found[1:]] == [ua.NodeId(3, 1)] * 2


async def test_nodes_of_other_servers_are_none_and_namespaces_in_an_answer_are_looked_up():
    far = ua.ExpandedNodeId(1, 1, ServerIndex=1)
    near = ua.ExpandedNodeId(2, 0, NamespaceUri="http://b/")
    target = ua.BrowsePathTarget(TargetId=near)
    other = ua.BrowsePathTarget(TargetId=far)
    requests = Answers(
        [ua.BrowsePathResult(Targets=[other, target]), ua.BrowsePathResult(Targets=[other])],
        {ua.NodeId(84): browsed(0, ("B", far), ("C", near))},
    )
    found = await resolve(requests, [parse("/1:A"), parse("/1:B"), parse("/C")], ["", "http://b/"])
    assert [one.node for one in found] == [ua.NodeId(2, 1), None, ua.NodeId(2, 1)]
    assert found[1].why == "/ has no 1:B; there are C"


async def test_a_node_reached_in_two_ways_is_one_node():
    both = browsed(0, ("A", ua.NodeId(1, 1)), ("A", ua.NodeId(1, 1)))
    twice = ua.BrowsePathResult(Targets=[ua.BrowsePathTarget(TargetId=ua.NodeId(1, 1))] * 2)
    found = await resolve(Answers([twice], {ua.NodeId(84): both}), [parse("/A"), parse("/1:A")], ["", "b"])
    assert [one.node for one in found] == [ua.NodeId(1, 1)] * 2


async def test_a_pattern_that_means_the_whole_server_is_given_up(monkeypatch):
    monkeypatch.setattr("edge_agent_opcua.resolve.CANDIDATES_MAX", 2)
    many = browsed(0, *((f"A{number}", ua.NodeId(number, 1)) for number in (1, 2, 3)))
    [found] = await resolve(Answers(browsed={ua.NodeId(84): many}), [parse("/A*/B")], ["", "b"])
    assert found.why == "A* matches 3 nodes; at most 2 are followed, write more of it"


@pytest.fixture(scope="module")
def node_peer(pytestconfig):
    return shared_node_model(pytestconfig)


@pytest.mark.parametrize("form", ["/Objects/{n}Plant/{n}Line{line}/{n}V{i}", "/Objects/Plant/Line{line}/V{i}"])
@pytest.mark.peer
async def test_five_thousand_addresses_take_a_few_requests(node_peer, form):
    async with asking(node_peer) as (requests, namespaces):
        addresses = [
            parse(form.format(n=f"nsu={OURS};", line=line, i=i)) for line in range(50) for i in range(100)
        ]
        begun = time.process_time()
        found = await resolve(requests, addresses, namespaces)
        spent = time.process_time() - begun
        index = namespaces.index(OURS)
    expected = [ua.NodeId(f"L{line}V{i}", index) for line in range(50) for i in range(100)]
    assert [one.node for one in found] == expected
    assert sum(requests.calls.values()) <= 12
    assert spent < 5        # CPU of ours: 0.5 s where nobody else computes


@pytest.mark.peer
async def test_five_thousand_wrong_addresses_are_explained_in_the_same_time(node_peer):
    async with asking(node_peer) as (requests, namespaces):
        addresses = [parse(f"/Objects/Plant/Line{line}/W{i}") for line in range(50) for i in range(100)]
        begun = time.process_time()
        found = await resolve(requests, addresses, namespaces)
        spent = time.process_time() - begun
    assert all("has no W" in one.why for one in found)
    assert spent < 5


@pytest.mark.peer
async def test_names_ids_and_wildcards_mean_the_same(node_peer):
    async with asking(node_peer) as (requests, namespaces):
        n = namespaces.index(OURS)
        found = await resolve(
            requests,
            [parse(one) for one in (
                f"nsu={OURS};s=L7V3", f"/Objects/{n}:Plant/{n}:Line7/{n}:V3", "/Objects/Plant/*7/V3",
                "/Objects/Plant/Line7/V*3", "/Objects/Plant/Lin7/V3",
            )],
            namespaces,
        )  # fmt: skip
    assert [one.node for one in found[:2]] == [ua.NodeId("L7V3", n)] * 2
    assert found[2].why.startswith("means 5 nodes:")
    assert found[2].why.endswith("write each: [Line, Line1, Line2, Line3, Line4]")
    assert "each:" not in found[3].why      # a word would be empty: V3 itself
    assert found[4].why.startswith(f"/Objects/{n}:Plant has no Lin7; did you mean {n}:Line7? there are {n}:")
