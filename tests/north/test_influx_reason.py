"""What servers of all versions say when they refuse, and what is made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from edge_agent.errors import AccessDenied, EdgeAgentError, NotConnected
from edge_agent.north.influx_reason import LinesRefused, NoBucket, TooLarge, from_answer

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


def error(status: int, said: str | dict[str, object] = "", **headers: str) -> EdgeAgentError:
    body = said if isinstance(said, str) else json.dumps(said)
    return from_answer(status, body, headers, "bucket plant of org acme", NOW)


CONFLICT_1 = (
    'partial write: field type conflict: input field "temp_cpu" on measurement "usg" is type integer, already exists '
    "as type float dropped=12 for database: unpoller for retention policy: autogen"
)
CONFLICT_2 = (
    'failure writing points to database: partial write: field type conflict: input field "value" on measurement '
    '"calc.velocity" is type string, already exists as type float dropped=11'
)
CONFLICT_CLOUD = (
    "failed to parse line protocol: error writing line 2: Unable to insert type iox::column_type::field::string type "
    "into column co with type iox::column_type::field::integer"
)
CONFLICT_3 = {
    "error": "partial write of line protocol occurred",
    "data": [{
        "original_line": "home,room=Kitchen co=2i 1", "line_number": 2,
        "error_message": "invalid column type for column 'co', expected iox::column_type::field::float, got …",
    }],
}  # fmt: skip
PARSING_1 = "partial write: unable to parse 'yla1 httpsRequests=100i\\r': invalid number dropped=0"


@pytest.mark.parametrize(
    ("status", "said", "dropped", "field"),
    [
        (400, {"error": CONFLICT_1}, 12, "temp_cpu"),
        (422, {"code": "unprocessable entity", "message": CONFLICT_2}, 11, "value"),
        (500, {"code": "internal error", "message": CONFLICT_2}, 11, "value"),
        (400, {"code": "invalid", "message": CONFLICT_CLOUD}, None, "co"),
        (201, {"code": "invalid", "line": 2, "message": CONFLICT_CLOUD}, None, "co"),
        (400, CONFLICT_3, 1, "co"),
        (400, {"error": PARSING_1}, 0, ""),
        (400, "plain words", None, ""),
        (400, "", None, ""),
        (400, "[1]", None, ""),
        (400, {"error": "x", "data": [7]}, None, ""),
    ],
)
def test_what_is_said_of_lines_is_understood_in_every_version(
    status: int, said: str | dict[str, object], dropped: int | None, field: str
) -> None:
    found = error(status, said)
    assert isinstance(found, LinesRefused)
    assert (found.dropped, found.field) == (dropped, field)
    assert "dropped=" not in str(found), "a reason that differs in nothing else is told once"


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, AccessDenied, "see token:"),
        (403, AccessDenied, "may not write to bucket plant of org acme"),
        (404, NoBucket, "create_bucket: true"),
        (405, AccessDenied, "see url:"),
        (413, TooLarge, "413"),
        (415, AccessDenied, "see url:"),
        (408, NotConnected, "408"),
        (429, NotConnected, "429"),
        (500, NotConnected, "500"),
        (503, NotConnected, "503"),
    ],
)
def test_what_is_not_about_lines_gives_none_of_them_up(status: int, kind: type[Exception], says: str) -> None:
    found = error(status, {"message": "as it says"})
    assert type(found) is kind
    assert says in str(found)
    assert "as it says" in str(found)


def test_a_redirect_is_not_followed_but_named() -> None:
    assert "https://elsewhere" in str(error(301, "", Location="https://elsewhere"))


def test_a_page_of_a_proxy_is_told_in_one_short_line() -> None:
    told = str(error(502, "<html>\n" + "<p>Bad gateway</p>\n" * 100))
    assert "\n" not in told
    assert len(told) < 500


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7), ("1e9", 600), ("-3", 0), ("nan", 0), ("inf", 600), ("", 0), ("soon", 0),
        ("Mon, 23 Nov 2026 06:01:30 GMT", 90), ("Mon, 23 Nov 2026 05:00:00 GMT", 0),
    ],
)  # fmt: skip
def test_retry_after_is_in_seconds_or_a_date_and_never_longer_than_sense(said: str, seconds: float) -> None:
    found = error(503, "", **{"Retry-After": said})
    assert isinstance(found, NotConnected)
    assert found.retry_after_s == seconds
