"""The site file changed through the API: judged first, the old one kept, rolled back; and nothing by halves."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import cast

import pytest

from edge_agent.checked import Checked, checked
from edge_agent.config import Site
from edge_agent.errors import Mistake
from edge_agent.web.site_file import Changed, NotKept, SiteFile, Unknown, difference, parts_that_differ
from edge_agent.web.versions import Versions, sha256

OLD = "# ours\nagent: {id: gw}\n"
NEW = "# ours\nagent: {id: gw}\njournal: {flush: 2s}\n"


@pytest.fixture
def taken_up() -> list[Checked]:
    return []


@pytest.fixture
def site_file(tmp_path: Path, taken_up: list[Checked]) -> SiteFile:
    (tmp_path / "site.yaml").write_text(OLD)

    def judge(text: str) -> Checked:
        wrong = (Mistake("agent", "is wrong", line=2),) if "wrong" in text else ()
        return Checked(None if wrong else cast(Site, object()), wrong, text=text)

    return SiteFile(tmp_path / "site.yaml", tmp_path / "data", judge, taken_up.append, lambda: "2026-11-23T06:00:00Z")


def rights(path: Path) -> set[int]:
    """Of a file, or of a folder and what is in it."""
    return {stat.S_IMODE(one.stat().st_mode) for one in ([path, *path.iterdir()] if path.is_dir() else [path])}


def left_behind(folder: Path) -> list[Path]:
    """Files that were to take the place of others, and have not."""
    return list(folder.rglob("*.new"))


async def test_a_change_is_in_the_file_in_force_and_kept_with_the_one_before(
    site_file: SiteFile, taken_up: list[Checked]
) -> None:
    done = await site_file.apply(NEW, sha256(OLD), "anna", "slower")
    assert (done.error, done.mistakes, done.etag) == ("", (), sha256(NEW))
    assert site_file.path.read_text() == NEW
    assert [one.text for one in taken_up] == [NEW]
    found = await site_file.versions()
    assert [(one.n, one.who, one.note) for one in found] == [(2, "anna", "slower"), (1, "", "as the file was found")]
    assert await site_file.version(1) == OLD


async def test_one_click_brings_the_old_one_back(site_file: SiteFile) -> None:
    await site_file.apply(NEW, sha256(OLD), "anna", "")
    done = await site_file.rollback(1, sha256(NEW), "ben")
    assert site_file.path.read_text() == OLD
    assert done.version is not None
    assert (done.version.n, done.version.who, done.version.note) == (3, "ben", "back to version 1")
    with pytest.raises(Unknown, match="no version 7"):
        await site_file.rollback(7, sha256(OLD), "ben")


async def test_what_somebody_changed_by_hand_between_two_changes_is_kept_too(site_file: SiteFile) -> None:
    await site_file.apply(NEW, sha256(OLD), "anna", "")
    by_hand = NEW + "# by hand\n"
    site_file.path.write_text(by_hand)
    with pytest.raises(Changed):
        await site_file.apply(OLD, sha256(NEW), "anna", "")
    assert site_file.path.read_text() == by_hand
    await site_file.apply(OLD, sha256(by_hand), "anna", "")
    assert by_hand in [await site_file.version(one.n) for one in await site_file.versions()]


async def test_a_wrong_text_changes_nothing(site_file: SiteFile, taken_up: list[Checked], tmp_path: Path) -> None:
    done = await site_file.apply("wrong", sha256(OLD), "anna", "")
    assert [str(one) for one in done.mistakes] == ["agent: is wrong"]
    assert site_file.path.read_text() == OLD
    assert not taken_up
    assert not (tmp_path / "data").exists()


async def test_a_file_that_cannot_be_kept_is_not_applied(
    site_file: SiteFile, taken_up: list[Checked], tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(NotKept):
        await site_file.apply(NEW, sha256(OLD), "anna", "")
    assert site_file.path.read_text() == OLD
    assert not taken_up


async def test_rights_stay_a_link_stays_one_and_versions_are_for_nobody_else(
    site_file: SiteFile, tmp_path: Path
) -> None:
    real = tmp_path / "etc" / "real.yaml"
    real.parent.mkdir()
    real.write_text(OLD)
    real.chmod(0o640)
    site_file.path.unlink()
    site_file.path.symlink_to(real)
    await site_file.apply(NEW, sha256(OLD), "anna", "")
    assert site_file.path.is_symlink()
    assert real.read_text() == NEW
    assert rights(real) == {0o640}
    assert rights(tmp_path / "data" / "site-versions") == {0o700, 0o600}
    assert not left_behind(tmp_path)


def test_the_oldest_versions_go_and_a_torn_one_is_passed_over(tmp_path: Path) -> None:
    versions = Versions(tmp_path, kept=3)
    for n in range(6):
        versions.keep(f"text {n}", "2026-11-23T06:00:00Z", "anna", "")
    assert [one.n for one in versions.all()] == [6, 5, 4]
    assert len(list((tmp_path / "site-versions").iterdir())) == 6
    assert versions.keep("text 5", "later", "ben", "again").n == 6
    (tmp_path / "site-versions" / "000006.json").write_bytes(b'{"at": ')
    assert [one.n for one in versions.all()] == [5, 4]
    assert versions.keep("text 9", "later", "ben", "").n == 6
    assert versions.text(6) == "text 9"


def test_what_differs_is_shown_and_named() -> None:
    told = difference(OLD, NEW, "site.yaml")
    assert told.splitlines()[-1] == "+journal: {flush: 2s}"
    assert difference(OLD, OLD, "site.yaml") == ""
    one = "devices: {a: {x: 1}, b: {x: 1}}\nkpi: {every: 1s}\n"
    other = "# a comment alone is no difference\ndevices: {a: {x: 2}, c: {x: 1}}\nkpi: {every: 1s}\njournal: {}\n"
    assert parts_that_differ(one, other) == ["devices.a", "devices.b", "devices.c", "journal"]


def test_a_text_is_judged_as_the_file_would_be(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    right = checked(path, "agent: {id: gw}\ndevices: {}\n", lambda site: None)
    assert right.site is not None
    assert not right.mistakes
    assert right.site.agent.data_dir == tmp_path / "data"
    wrong = checked(path, "agent: {id: gw}\n\ndevcies: {}\n", lambda site: None)
    assert wrong.site is None
    assert [(one.line, one.key) for one in wrong.mistakes] == [(3, "devcies")]
    assert not path.exists()
