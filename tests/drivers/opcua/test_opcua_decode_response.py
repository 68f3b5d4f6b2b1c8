"""What a publish or republish response says besides its changes, and notifications of every kind in one message."""

from __future__ import annotations

import struct

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary

from edge_agent_opcua.decode import published, republished
from tests.drivers.opcua.decode_reference import (
    DOUBLE,
    NULL_LENGTH,
    RANGE_ID,
    TEXT,
    agrees,
    array,
    asked,
    data_change,
    encoded,
    message,
    record,
    structure,
)


def test_a_keepalive_says_its_number_and_nothing_else():
    found = published(message())
    assert (found.subscription, found.sequence, list(found.available)) == (7, 3, [3])
    assert found.changes is None
    assert found.is_keepalive


def test_the_end_of_a_subscription_is_told():
    found = published(encoded(ua.StatusChangeNotification(ua.StatusCode(ua.StatusCodes.BadTimeout))))
    assert found.ended == ua.StatusCodes.BadTimeout
    assert not found.is_keepalive


def test_more_available_and_results_are_told():
    response = ua.PublishResponse()
    response.Parameters = ua.PublishResult(9, [4, 5, 0xFFFF_FFFF], True)
    response.Parameters.Results = [ua.StatusCode(0), ua.StatusCode(ua.StatusCodes.BadSequenceNumberUnknown)]
    found = published(struct_to_binary(response))
    assert (found.subscription, found.more, list(found.available)) == (9, True, [4, 5, 0xFFFF_FFFF])
    assert list(found.results) == [0, ua.StatusCodes.BadSequenceNumberUnknown]


def test_events_keep_their_fields_as_variants():
    fields = [ua.Variant("pressure"), ua.Variant(700, ua.VariantType.UInt16), ua.Variant(None)]
    raw = encoded(ua.EventNotificationList([ua.EventFieldList(5, fields), ua.EventFieldList(6, [])]))
    found = published(raw)
    assert found.events == [(5, fields), (6, [])]
    assert found.changes is None
    assert agrees(found, asked(raw))


@pytest.mark.parametrize("code", [ua.StatusCodes.BadNoSubscription, ua.StatusCodes.BadTooManyPublishRequests])
def test_a_service_fault_raises_its_code(code):
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(code)
    with pytest.raises(ua.UaStatusCodeError) as raised:
        published(struct_to_binary(fault))
    assert raised.value.code == code


@pytest.mark.parametrize("code", [ua.StatusCodes.BadSessionClosed, ua.StatusCodes.UncertainInitialValue, 0xC000_0000])
def test_a_response_that_failed_raises_its_code_even_if_the_rest_is_missing(code):
    raw = message(status=code)
    for data in (raw, raw[:24]):
        with pytest.raises(ua.UaStatusCodeError) as raised:
            published(data)
        assert raised.value.code == code


def test_a_fault_without_a_reason_and_another_response_are_malformed():
    with pytest.raises(ValueError, match="a ServiceFault at byte 16 has the result 0x00000000"):
        published(struct_to_binary(ua.ServiceFault()))
    with pytest.raises(ValueError, match=r"a PublishResponse at byte 0 has the type id i=634"):
        published(struct_to_binary(ua.ReadResponse()))
    with pytest.raises(ValueError, match="another namespace"):
        published(b"\x01\x01" + message()[2:])


def test_the_type_id_may_be_written_in_the_long_form():
    raw = b"\x02\x00\x00" + struct.pack("<I", 829) + message(data_change([record(1, DOUBLE)]))[4:]
    assert published(raw).changes.value[0] == 3.25


def test_a_buffer_is_read_from_where_it_is_to_where_it_ends_and_not_moved():
    raw = message(data_change([record(1, DOUBLE)]))
    data = Buffer(b"before" + raw + b"behind", 6, len(raw))
    assert published(data).changes.value[0] == 3.25
    assert (len(data), data.cur_pos) == (len(raw), 6)
    with pytest.raises(ValueError, match="at byte"):
        published(Buffer(raw + bytes(99), 0, len(raw) - 1))


def test_a_republished_message_is_that_of_its_subscription():
    response = ua.RepublishResponse()
    item = ua.MonitoredItemNotification(4, ua.DataValue(ua.Variant(1.5)))
    response.NotificationMessage = ua.NotificationMessage(21, NotificationData=[ua.DataChangeNotification([item])])
    found = republished(struct_to_binary(response), 12)
    assert (found.subscription, found.sequence, found.changes.value.tolist()) == (12, 21, [1.5])
    response.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadMessageNotAvailable)
    with pytest.raises(ua.uaerrors.BadMessageNotAvailable):
        republished(struct_to_binary(response), 12)
    with pytest.raises(ValueError, match="a RepublishResponse at byte 0 has the type id i=829"):
        republished(message(), 12)


def test_changes_events_and_an_end_may_come_in_one_message():
    first = data_change([record(1, DOUBLE), record(2, TEXT)])
    event = structure(916, array([struct.pack("<I", 8) + array([TEXT])]))
    second = data_change([record(3, TEXT), record(4, DOUBLE), record(5, None)])
    end = structure(820, struct.pack("<I", ua.StatusCodes.BadTimeout) + b"\0")
    raw = message(first, event, second, end)
    found = published(raw)
    assert found.changes.handle.tolist() == [1, 2, 3, 4, 5]
    assert found.changes.other == {1: "A100", 2: "A100"}
    assert (len(found.events), found.ended) == (1, ua.StatusCodes.BadTimeout)
    assert agrees(found, asked(raw))


def test_a_kind_of_notification_that_is_not_known_is_passed_over_but_is_no_keepalive():
    known_to_asyncua = structure(RANGE_ID, bytes(16))
    no_body = b"\x01\x05" + struct.pack("<H", 77) + b"\0"
    for other in (known_to_asyncua, structure(4711, b"abc"), no_body, data_change([]), structure(916, array([]))):
        found = published(message(other))
        assert not found.is_keepalive
        assert len(found.changes) == 0
        assert published(message(other, data_change([record(1, DOUBLE)]))).changes.handle.tolist() == [1]


def test_a_notification_whose_length_is_left_out_is_read_to_its_own_end():
    found = published(message(data_change([record(1, DOUBLE)], length=-1), data_change([record(2, TEXT)], length=-1)))
    assert found.changes.handle.tolist() == [1, 2]


def test_bytes_behind_the_items_of_a_notification_are_passed_over_and_missing_ones_refused():
    inner = array([record(1, DOUBLE)]) + array([])
    assert len(published(message(structure(811, inner + b"more"))).changes) == 1
    with pytest.raises(ValueError, match=r"a notification at byte 57 is 21 bytes long, its items 22"):
        published(message(structure(811, inner, len(inner) - 1)))


@pytest.mark.parametrize("encoding", [b"\x00", b"\x02\x00\x00\x00\x00"])
def test_a_notification_that_is_not_in_binary_form_is_refused(encoding):
    with pytest.raises(ValueError, match="is not in binary form"):
        published(message(b"\x01\x00" + struct.pack("<H", 811) + encoding))


def test_diagnostics_are_passed_over_wherever_they_are():
    inner = b"\x7f" + struct.pack("<4i", 1, 2, 3, 4) + struct.pack("<i", 2) + b"in" + b"\0\0\0\x80" + b"\x01\2\0\0\0"
    texts = array([struct.pack("<i", 3) + b"one", NULL_LENGTH])
    header = inner + texts + structure(RANGE_ID, bytes(16))
    raw = message(data_change([record(1, DOUBLE)], array([inner, b"\0"])), header=header)
    raw = raw[:-4] + array([inner])
    assert published(raw).changes.value.tolist() == [3.25]
    end = structure(820, struct.pack("<I", 0x8001_0000) + inner)
    assert published(message(end)).ended == 0x8001_0000
