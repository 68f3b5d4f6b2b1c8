"""What real servers publish, taken from the wire, is read as asyncua reads it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asyncua import Client, ua

from edge_agent_opcua.decode import published
from tests.drivers.opcua.decode_reference import agrees, asked

# Of every server: times, state, status and build (structures), namespaces (texts), limits, numbers.
NODES = [2258, 2259, 2256, 2260, 2255, 2735, 2736, 2267, 2994, 11705]


async def responses(url: str, wanted: int) -> list[bytes]:
    """The first `wanted` publish responses of a server, byte by byte as they came."""
    client = Client(url)
    session = client.uaclient.session
    send, taken, enough = session._send_request, [], asyncio.Event()

    async def taking(request: Any, *args: Any, **more: Any) -> Any:
        data = await send(request, *args, **more)
        if isinstance(request, ua.PublishRequest):
            taken.append(data.copy().read(len(data)))
            if len(taken) == wanted:
                enough.set()
        return data

    session._send_request = taking
    async with client:
        settings = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=50, RequestedLifetimeCount=600, RequestedMaxKeepAliveCount=2
        )
        subscription = await client.create_subscription(settings)
        for timestamps in (ua.TimestampsToReturn.Both, ua.TimestampsToReturn.Server):
            params = ua.CreateMonitoredItemsParameters(
                SubscriptionId=subscription.subscription_id,
                TimestampsToReturn=timestamps,
                ItemsToCreate=[
                    ua.MonitoredItemCreateRequest(
                        ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId(node), AttributeId=ua.AttributeIds.Value),
                        MonitoringMode=ua.MonitoringMode.Reporting,
                        RequestedParameters=ua.MonitoringParameters(ClientHandle=handle, SamplingInterval=50),
                    )
                    for handle, node in enumerate(NODES)
                ],
            )
            await session.create_monitored_items(params)
        async with asyncio.timeout(60):
            await enough.wait()
        await subscription.delete()
    return taken


@pytest.mark.parametrize("peer", ["server", pytest.param("node_server", marks=pytest.mark.peer)])
async def test_what_a_real_server_publishes_is_read_as_asyncua_reads_it(peer, request):
    raws = await responses(request.getfixturevalue(peer).url, 4)
    found = [published(raw) for raw in raws]
    for ours, raw in zip(found, raws, strict=True):
        assert agrees(ours, asked(raw))
    handles = {handle for one in found if one.changes is not None for handle in one.changes.handle.tolist()}
    assert handles == set(range(len(NODES)))
