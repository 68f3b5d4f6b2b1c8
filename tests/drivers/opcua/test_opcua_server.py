"""The OPC UA server on a real socket: what clients see of a plant, and what they may not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua

from edge_agent.api import GOOD, UNCERTAIN, Reason, bad, uncertain
from edge_agent_opcua.serving.machinery import MACHINERY, STATES
from tests.peers.shown_plant import URI, Plant, connected, listening, shown

pytestmark = pytest.mark.asyncio(loop_scope="module")
SOON_S = 5.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Plant, int]]:
    """One server for all that only looks: building one takes seconds."""
    plant = Plant()
    async with listening(plant, tmp_path_factory.mktemp("open"), security="none", anonymous=True) as port:
        yield plant, port


@pytest_asyncio.fixture(loop_scope="module")
async def client(open_server: tuple[Plant, int]) -> AsyncIterator[Client]:
    async with connected(open_server[1]) as client:
        yield client


@pytest.fixture
def plant(open_server: tuple[Plant, int]) -> Plant:
    """With good values, a running machine, and no figures."""
    plant = open_server[0]
    plant.all_good()
    plant.kpis = {}
    return plant


async def until(client: Client, key: str, is_so: Any) -> Any:
    """The DataValue of a variable once it is as wanted."""
    async with asyncio.timeout(SOON_S):
        while not is_so(value := await shown(client, key)):  # noqa: ASYNC110 (a server is asked)
            await asyncio.sleep(0.02)
    return value


async def test_tags_have_value_type_and_the_time_of_their_sample(plant: Plant, client: Client) -> None:
    at = time.time_ns() - 90 * 10**9
    plant.set("press-1.temp", 31.25, GOOD, at)
    value = await until(client, "press-1.temp", lambda v: v.Value.Value == 31.25)
    assert value.StatusCode.value == 0
    assert abs(value.SourceTimestamp - datetime.fromtimestamp(at / 1e9, UTC)) < timedelta(milliseconds=1)
    assert datetime.now(UTC) - value.ServerTimestamp < timedelta(seconds=2)
    seen = await shown(client, "press-1.total", "press-1.fault", "press-1.program", "meter-1.power")
    assert [(v.Value.Value, v.Value.VariantType) for v in seen] == [
        (70_000, ua.VariantType.Int64), (True, ua.VariantType.Boolean), ("A100", ua.VariantType.String),
        (4.25, ua.VariantType.Double),
    ]  # fmt: skip


async def test_the_server_time_goes_on_while_a_value_stays_the_same(plant: Plant, client: Client) -> None:
    await until(client, "press-1.temp", lambda v: (v.Value.Value, v.StatusCode.value) == (23.5, 0))
    before = await shown(client, "press-1.temp")
    await asyncio.sleep(0.3)
    after = await shown(client, "press-1.temp")
    assert after.SourceTimestamp == before.SourceTimestamp
    assert after.ServerTimestamp > before.ServerTimestamp


@pytest.mark.parametrize(
    ("quality", "status", "value"),
    [
        (bad(Reason.COMM_LOST), "BadNoCommunication", None),
        (bad(Reason.OUT_OF_RANGE), "BadOutOfRange", None),
        (bad(Reason.REFUSED), "BadConfigurationError", None),
        (bad(Reason.DEVICE), "BadDeviceFailure", None),
        (bad(Reason.STALE), "UncertainLastUsableValue", 23.5),
        (uncertain(Reason.NONE), "Uncertain", 24.0),
        (uncertain(Reason.OUT_OF_RANGE), "UncertainEngineeringUnitsExceeded", 24.0),
        (GOOD | Reason.CLOCK, "Good", 24.0),
    ],
)
async def test_what_is_not_good_says_why(plant: Plant, client: Client, quality: int, status: str, value: Any) -> None:
    await until(client, "press-1.temp", lambda v: (v.Value.Value, v.StatusCode.value) == (23.5, 0))
    has_value = quality < UNCERTAIN or quality < bad(Reason.NONE)
    plant.set("press-1.temp", 24.0 if has_value else None, quality)
    told = await until(client, "press-1.temp", lambda v: v.Value.Value != 23.5 or v.StatusCode.value)
    assert (told.StatusCode.name, told.Value.Value) == (status, value)


async def test_a_tag_without_a_sample_waits_for_its_first(plant: Plant, client: Client) -> None:
    del plant.values["meter-1.power"]
    value = await until(client, "meter-1.power", lambda v: v.StatusCode.name == "BadWaitingForInitialData")
    assert value.Value.Value is None


async def test_whole_numbers_that_turn_out_not_to_be_are_shown_as_double_from_then_on(
    plant: Plant, client: Client
) -> None:
    index = await client.get_namespace_index(URI)
    node = client.get_node(ua.NodeId("press-1.total", index))
    plant.set("press-1.total", 0.5)
    value = await until(client, "press-1.total", lambda v: v.Value.Value == 0.5)
    assert value.Value.VariantType is ua.VariantType.Double
    assert await node.read_data_type() == ua.NodeId(ua.ObjectIds.Double)
    plant.set("press-1.total", 7)
    value = await until(client, "press-1.total", lambda v: v.Value.Value == 7)
    assert value.Value.VariantType is ua.VariantType.Double


async def test_units_and_ranges_are_properties_of_analog_items(plant: Plant, client: Client) -> None:
    index = await client.get_namespace_index(URI)
    temp = client.get_node(ua.NodeId("press-1.temp", index))
    unit = await (await temp.get_child("0:EngineeringUnits")).read_value()
    assert (unit.DisplayName.Text, unit.UnitId) == ("Cel", 4_408_652)
    assert unit.NamespaceUri.endswith("/cefact")
    limits = await (await temp.get_child("0:EURange")).read_value()
    assert (limits.Low, limits.High) == (-40.0, 400.0)
    assert await temp.read_type_definition() == ua.NodeId(ua.ObjectIds.AnalogUnitRangeType)
    power = client.get_node(ua.NodeId("meter-1.power", index))
    unit = await (await power.get_child("0:EngineeringUnits")).read_value()
    assert (unit.DisplayName.Text, unit.UnitId, unit.NamespaceUri) == ("[foo]", -1, "http://unitsofmeasure.org")
    assert await power.read_type_definition() == ua.NodeId(ua.ObjectIds.AnalogUnitType)
    fault = client.get_node(ua.NodeId("press-1.fault", index))
    assert await fault.read_type_definition() == ua.NodeId(ua.ObjectIds.DataItemType)


async def test_a_device_says_whether_there_is_a_session_to_it(plant: Plant, client: Client) -> None:
    index = await client.get_namespace_index(URI)
    line = await client.nodes.objects.get_child([f"{index}:Devices", f"{index}:press-1", f"{index}:Connected"])
    assert line.nodeid.Identifier == "device.press-1.connected"
    await until(client, "device.press-1.connected", lambda v: v.Value.Value is True)
    plant.lines["press-1"] = False
    await until(client, "device.press-1.connected", lambda v: v.Value.Value is False)


async def machine_states(client: Client) -> dict[str, Any]:
    """What the two state machines of OPC 40001-1 say, found by their browse names."""
    own, names = await client.get_namespace_index(URI), await client.get_namespace_index(MACHINERY)
    blocks = [f"{names}:Machines", f"{own}:press-1", f"{names}:MachineryBuildingBlocks"]
    told = {}
    for block in ("MachineryItemState", "MachineryOperationMode"):
        current = await client.nodes.objects.get_child([*blocks, f"{names}:{block}", "0:CurrentState"])
        parts = [current, await current.get_child("0:Id"), await current.get_child("0:Number")]
        told[block] = await client.read_attributes(parts, ua.AttributeIds.Value)
    return told


async def test_a_running_machine_executes_and_processes(plant: Plant, client: Client) -> None:
    await until(client, "machine.press-1.state", lambda v: v.Value.Value == 4)
    names = await client.get_namespace_index(MACHINERY)
    told = await machine_states(client)
    item, mode = ([part.Value.Value for part in told[block]] for block in told)
    assert (item[0].Text, item[1], item[2]) == ("Executing", ua.NodeId(5006, names), 3)
    assert (mode[0].Text, mode[1], mode[2]) == ("Processing", ua.NodeId(5026, names), 3)
    assert [part.Value.VariantType for part in told["MachineryItemState"]] == [
        ua.VariantType.LocalizedText, ua.VariantType.NodeId, ua.VariantType.UInt32
    ]  # fmt: skip


async def test_a_machine_of_which_nothing_is_known_is_in_no_state(plant: Plant, client: Client) -> None:
    plant.states["press-1"] = 0
    await until(client, "machine.press-1.state", lambda v: v.Value.Value == 0)
    for parts in (await machine_states(client)).values():
        assert [part.StatusCode.name for part in parts] == ["BadNoData"] * 3
        assert [part.Value.Value for part in parts] == [None] * 3


async def test_the_state_is_an_enumeration_that_names_all_seven(plant: Plant, client: Client) -> None:
    index = await client.get_namespace_index(URI)
    state = client.get_node(ua.NodeId("machine.press-1.state", index))
    names = await (await state.get_child("0:EnumStrings")).read_value()
    assert tuple(name.Text for name in names) == STATES
    assert await state.read_type_definition() == ua.NodeId(ua.ObjectIds.MultiStateDiscreteType)


async def test_the_types_of_the_state_machines_have_their_states_and_say_that_there_is_no_more(
    plant: Plant, client: Client
) -> None:
    names = await client.get_namespace_index(MACHINERY)
    kind = client.get_node(ua.NodeId(1002, names))
    assert await (await kind.get_parent()).read_browse_name() == ua.QualifiedName("FiniteStateMachineType", 0)
    state = await kind.get_child(f"{names}:OutOfService")
    assert await (await state.get_child("0:StateNumber")).read_value() == 1
    space = await client.nodes.namespaces.get_child(ua.QualifiedName(MACHINERY, names))
    assert await (await space.get_child("0:IsNamespaceSubset")).read_value() is True


async def test_a_figure_that_is_not_defined_has_no_value_and_never_0(plant: Plant, client: Client) -> None:
    undefined = await until(client, "machine.press-1.kpi.shift.oee", lambda v: v.Value.Value is None)
    assert undefined.StatusCode.name == "BadNoData"
    plant.kpis["press-1", "shift", "oee"] = 0.625
    plant.kpis["press-1", "shift", "pq"] = 12.0
    oee = await until(client, "machine.press-1.kpi.shift.oee", lambda v: v.Value.Value is not None)
    assert (oee.Value.Value, oee.Value.VariantType, oee.StatusCode.value) == (0.625, ua.VariantType.Double, 0)
    pieces = await shown(client, "machine.press-1.kpi.shift.pq")
    assert (pieces.Value.Value, pieces.Value.VariantType) == (12, ua.VariantType.Int64)
    plant.kpis.clear()
    await until(client, "machine.press-1.kpi.shift.oee", lambda v: v.StatusCode.name == "BadNoData")


async def test_a_subscription_brings_what_changes_and_nothing_else(plant: Plant, client: Client) -> None:
    await until(client, "press-1.temp", lambda v: (v.Value.Value, v.StatusCode.value) == (23.5, 0))
    got: list[tuple[Any, str]] = []

    class Handler:
        def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
            got.append((value, data.monitored_item.Value.StatusCode.name))

    index = await client.get_namespace_index(URI)
    subscription = await client.create_subscription(100, Handler())
    await subscription.subscribe_data_change(client.get_node(ua.NodeId("press-1.temp", index)))
    for value, quality in ((24.5, GOOD), (24.5, GOOD), (None, bad(Reason.COMM_LOST)), (25.0, GOOD)):
        plant.set("press-1.temp", value, quality)
        await asyncio.sleep(0.3)
    await subscription.delete()
    assert got == [(23.5, "Good"), (24.5, "Good"), (None, "BadNoCommunication"), (25.0, "Good")]


async def test_nobody_writes_calls_or_changes_nodes(plant: Plant, client: Client) -> None:
    index = await client.get_namespace_index(URI)
    temp = client.get_node(ua.NodeId("press-1.temp", index))
    await until(client, "press-1.temp", lambda v: v.Value.Value == 23.5)    # of before this test, it may be another
    with pytest.raises(ua.uaerrors.BadNotWritable):
        await temp.write_value(1.0)
    with pytest.raises(ua.uaerrors.BadNotWritable):
        await temp.write_attribute(ua.AttributeIds.DisplayName, ua.DataValue(ua.LocalizedText("mine")))
    with pytest.raises(ua.uaerrors.BadNotWritable):
        await client.get_node(ua.ObjectIds.Server_ServerDiagnostics_EnabledFlag).write_value(True)
    with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
        await client.get_node(ua.NodeId("nothing", index)).write_value(1.0)
    with pytest.raises(ua.uaerrors.BadUserAccessDenied):
        await client.nodes.objects.add_variable(index, "mine", 1.0)
    with pytest.raises(ua.uaerrors.BadUserAccessDenied):
        await client.delete_nodes([temp])
    with pytest.raises(ua.uaerrors.BadUserAccessDenied):
        await client.nodes.server.call_method("0:GetMonitoredItems", 1)
    levels = await client.read_attributes([temp], ua.AttributeIds.UserAccessLevel)
    assert levels[0].Value.Value == 1
    assert (await shown(client, "press-1.temp")).Value.Value == 23.5


async def test_every_variable_can_be_browsed_to_and_read(plant: Plant, client: Client) -> None:
    index = await client.get_namespace_index(URI)
    found: set[str] = set()
    waiting = [client.nodes.objects]
    while waiting:
        for child in await waiting.pop().get_children():
            if child.nodeid.NamespaceIndex == 0:
                continue
            waiting.append(child)
            if child.nodeid.NamespaceIndex == index:
                found.add(child.nodeid.Identifier)
    assert {tag.id for tag in plant.tags()} <= found
    figures = ("oee", "availability_classic", "performance_classic", "quality_count", "data_coverage", "pq", "gq", "sq")
    assert {f"machine.press-1.kpi.{window}.{name}" for window in ("shift", "day") for name in figures} <= found
    assert {"machine.press-1.state", "device.meter-1.connected"} <= found


async def test_what_a_client_asks_for_is_brought_down_to_what_there_is(plant: Plant, client: Client) -> None:
    asked = ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=0.0, RequestedLifetimeCount=100, RequestedMaxKeepAliveCount=10,
        PublishingEnabled=True,
    )  # fmt: skip
    session = client.uaclient.session
    held = await session.create_subscription(asked, lambda _: None)
    assert held.RevisedPublishingInterval == 100.0
    request = ua.MonitoredItemCreateRequest()
    request.ItemToMonitor.NodeId = ua.NodeId("press-1.temp", await client.get_namespace_index(URI))
    request.ItemToMonitor.AttributeId = ua.AttributeIds.Value
    request.RequestedParameters.QueueSize = 1_000_000
    params = ua.CreateMonitoredItemsParameters(SubscriptionId=held.SubscriptionId, ItemsToCreate=[request])
    [made] = await session.create_monitored_items(params)
    assert made.RevisedQueueSize == 100
    change = ua.MonitoredItemModifyRequest(MonitoredItemId=made.MonitoredItemId)
    change.RequestedParameters.QueueSize = 0
    more = ua.ModifyMonitoredItemsParameters(SubscriptionId=held.SubscriptionId, ItemsToModify=[change])
    [changed] = await session.modify_monitored_items(more)
    assert changed.RevisedQueueSize == 100
    params.ItemsToCreate = [request] * 5_000
    refused = await session.create_monitored_items(params)
    assert {one.StatusCode.name for one in refused} == {"BadTooManyMonitoredItems"}
    await session.delete_subscriptions([held.SubscriptionId])


async def test_the_server_says_who_it_is(plant: Plant, client: Client) -> None:
    info = await client.get_node(ua.ObjectIds.Server_ServerStatus_BuildInfo).read_value()
    assert (info.ProductName, info.ManufacturerName) == ("edge-agent", "edge-agent")
    assert await client.get_node(ua.ObjectIds.Server_ServerCapabilities_MaxSessions).read_value() == 20
