"""`${NAME}` and `${file:…}`: put in everywhere, shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_files import FAKE_SITE, FakeDestination, FakeDevice, mistakes_of, replaced, site_of, told

from edge_agent.config.substitute import substitute

SECRET = "s3cret-of-the-plant"


def with_device(line: str) -> str:
    return replaced(FAKE_SITE, "    tags:", f"    {line}\n    tags:")


def device(folder: Path, line: str, **environ: str) -> FakeDevice:
    made = site_of(folder, with_device(line), **environ).devices["press-1"]
    assert isinstance(made, FakeDevice)
    return made


def test_a_variable_is_put_in(tmp_path: Path) -> None:
    assert device(tmp_path, 'password: "x-${PW}-y"', PW=SECRET).password == f"x-{SECRET}-y"


def test_a_file_is_put_in_without_its_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(f"{SECRET}\r\n")
    assert device(tmp_path, f'password: "${{file:{tmp_path}/pw}}"').password == SECRET


def test_a_relative_file_is_relative_to_the_site_file(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(SECRET)
    assert device(tmp_path, 'password: "${file:pw}"').password == SECRET


def test_two_dollars_write_a_literal_one(tmp_path: Path) -> None:
    assert device(tmp_path, 'password: "$${NOT_A_VARIABLE}"').password == "${NOT_A_VARIABLE}"


def test_what_is_put_in_is_not_looked_at_again(tmp_path: Path) -> None:
    assert device(tmp_path, 'password: "${PW}"', PW="${OTHER}-long").password == "${OTHER}-long"


@pytest.mark.parametrize("line", ["retries: ${N}", 'retries: "${N}"'])
def test_a_number_is_read_where_a_number_is_wanted(tmp_path: Path, line: str) -> None:
    assert device(tmp_path, line, N="7").retries == 7


def test_a_number_stays_a_text_where_a_text_is_wanted(tmp_path: Path) -> None:
    assert device(tmp_path, 'password: "${PW}"', PW="0012345678").password == "0012345678"


def test_a_counter_width_may_come_from_outside(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "ideal_cycle", "counter: {bits: '${BITS}'}\n    ideal_cycle")
    assert site_of(tmp_path, text, BITS="16").machines["press-1"].counter.bits == 16


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("password: ${PW}", "6: devices.press-1.password: '${PW}' environment variable PW is not set"),
        ("password: a${file:none}", "6: devices.press-1.password: '${file:none}' file none cannot be read "
         "(No such file or directory)"),
        ("password: '${PW:-x}'", "6: devices.press-1.password: '${PW:-x}' is not a variable; "
         "write ${NAME} or ${file:/path}, and $${ for a literal ${"),
        ("password: '${PW'", "6: devices.press-1.password: '${' has no closing '}'; "
         "write ${NAME}, and $${ for a literal ${"),
    ],
)  # fmt: skip
def test_what_cannot_be_put_in_is_one_mistake(tmp_path: Path, line: str, message: str) -> None:
    assert told(mistakes_of(tmp_path, with_device(line))) == [message]


def test_a_required_text_that_cannot_be_put_in_is_not_also_wrong(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "fake://10.0.0.5", "${PLC}")
    assert told(mistakes_of(tmp_path, text)) == ["5: devices.press-1.url: '${PLC}' environment variable "
     "PLC is not set"]


def test_every_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    text = with_device("password: ${A}${B}").replace("fake://10.0.0.5", "${C}").replace("driver: "
     "fake", "driver: ${D}")
    assert [mistake.value for mistake in mistakes_of(tmp_path, text)] == ["${D}", "${C}", "${A}", "${B}"]


@pytest.mark.parametrize(
    "line",
    [
        "retries: ${PW}",
        "poll: ${PW}",
        "${KEY}: 1",
        "password: ${SHORT}",
        "key_file: {a: ${PW}}",
    ],
)
def test_no_message_shows_what_was_put_in(tmp_path: Path, line: str) -> None:
    for mistake in mistakes_of(tmp_path, with_device(line), PW=SECRET, SHORT="abc"):
        for text in (str(mistake), repr(mistake)):
            assert SECRET not in text
            assert "abc" not in text


def test_a_message_that_quotes_the_value_shows_how_it_is_written(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "fake://10.0.0.5", "http://${HOST}/x")
    [mistake] = mistakes_of(tmp_path, text, HOST="plc.hidden.example")
    assert mistake.value == "http://${HOST}/x"
    assert "hidden" not in str(mistake)


def test_a_name_that_was_put_in_is_hidden_when_it_names_nothing(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "tag: press-1.state", 'tag: "${TAG}"')
    [mistake] = mistakes_of(tmp_path, text, TAG="hidden-device.hidden-tag")
    assert "hidden" not in str(mistake)
    assert mistake.value == "${TAG}"


def test_a_password_written_in_the_file_is_not_shown_either(tmp_path: Path) -> None:
    [mistake] = mistakes_of(tmp_path, with_device("password: 12345678"))
    assert "12345678" not in str(mistake)
    assert mistake.hint == "put it in quotes"


def test_the_site_shows_no_secret(tmp_path: Path) -> None:
    text = with_device('password: "${PW}"') + 'publish: {p: {type: mqtt, url: x, password: "${PW}"}}\n'
    site = site_of(tmp_path, text, PW=SECRET)
    assert SECRET not in f"{site!r} {site} {site.devices!r} {site.publish!r}"
    destination = site.publish["p"]
    assert isinstance(destination, FakeDestination)
    assert destination.password is not None
    assert destination.password.get_secret_value() == SECRET


def test_keys_and_other_values_are_left_alone() -> None:
    data, secrets = substitute({"${A}": [1, None, True, "x"]}, {"A": "b"}, Path())
    assert data == {"${A}": [1, None, True, "x"]}
    assert not secrets.mistakes
