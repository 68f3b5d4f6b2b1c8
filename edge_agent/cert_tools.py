"""`edge-agent cert`: the agent's certificates, and whose certificates it trusts.

The driver that has certificates does the work on its PKI folder; here the folder is found, and what was done
is printed. `list` with a site file also shows the TLS certificates that file names. `web` is no driver's: it makes what
the API and the pages are served with.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel

from edge_agent import registry
from edge_agent.api import AccessDenied, Certificate, Certificates, Handled, Refused, Wanted
from edge_agent.config import Site, load

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2

DEFAULT: Final = Path("data", "pki")

# What TLS sections call the files that hold certificates; `key` holds none.
_TLS_FILES: Final = ("cert", "ca")

# So many digits of a fingerprint tell certificates apart that nobody has made to be mistaken (2^64 tries).
_DIGITS: Final = 16

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


@dataclass(frozen=True, slots=True)
class _Where:
    """The folder, who knows what is in it, and the site file's content if one was given."""

    folder: Path
    tools: Certificates
    site: Site | None


def add_commands(add: Add) -> None:
    """Put the command and its actions into the parser."""
    cert = add("cert", _list, "make the agent's certificate, see all, approve those of servers, take it back")
    actions = cert.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        parser = actions.add_parser(name, help=text, description=text)
        parser.set_defaults(command=command)
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--site", type=Path, metavar="SITE.yaml", help="use the folder pki in its data_dir")
        where.add_argument("--pki", type=Path, metavar="FOLDER", help=f"use this folder; default {DEFAULT}")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
        return parser

    new = action("new", _new, "make the agent's certificate and key; the old ones are kept")
    new.add_argument("--days", type=int, metavar="N", help="how long it is good, default 1825")
    new.add_argument("--bits", type=int, metavar="N", help="length of the key: 2048 (default), 3072 or 4096")
    new.add_argument("--organization", default="", metavar="O", help="the company it names")
    new.add_argument("--name", action="append", default=[], metavar="HOST", help="host name or IP address it names; "
                     "may be repeated; default the name of this computer")  # fmt: skip
    new.add_argument("--csr", action="store_true", help="make a signing request for a certificate authority instead")
    new.add_argument("--force", action="store_true", help="even if there is a good one, or something is wrong with it")
    action("list", _list, "show own, trusted and rejected certificates; with --site those for TLS too")
    trust = action("trust", _trust, "approve a server's certificate, a certificate authority or a revocation list")
    trust.add_argument("what", nargs="+", metavar="WHAT", help="the fingerprint, or 4 digits of it or more; or a file")
    trust.add_argument("--issuer", action="store_true", help="an authority that only completes chains: it alone is "
                       "no reason to trust")  # fmt: skip
    reject = action("reject", _reject, "take the approval of a certificate back")
    reject.add_argument("what", nargs="+", metavar="WHAT", help="the fingerprint, or 4 digits of it or more")
    text = "make certificate and key for the API and the pages, web.pem and web.key; good ones are kept"
    web = actions.add_parser("web", help=text, description=text)
    web.set_defaults(command=_web)
    web.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where they go; default here")
    web.add_argument("--name", action="append", default=[], metavar="HOST", help="host name or IP address that people "
                     "type; may be repeated; default the name of this computer; localhost always")  # fmt: skip
    web.add_argument("--force", action="store_true", help="make new ones even if there are good ones")


# -- the actions ---------------------------------------------------------------------------------


def _new(options: argparse.Namespace) -> int:
    def make(where: _Where, now: datetime) -> Handled:
        wanted = Wanted(
            agent=where.site.agent.id if where.site else "",
            days=options.days,
            bits=options.bits,
            organization=options.organization,
            names=options.name,
            request=options.csr,
            force=options.force,
        )
        return where.tools.new(where.folder, wanted, now)

    return _done(options, make, _told_whole)


def _web(options: argparse.Namespace) -> int:
    from edge_agent.web import certificate  # here: 8 MB that the other actions may do without

    names = list(dict.fromkeys([*(options.name or [socket.gethostname()]), *certificate.ALWAYS]))
    now = datetime.now(UTC)
    files = certificate.files_in(options.out)
    kept = not options.force and certificate.is_good(files, names, now)
    try:
        files = files if kept else certificate.make(options.out, names, now)
    except ValueError as error:
        return _failed(f"{', '.join(names)}: {error}", WRONG_USAGE)
    print(f"{'kept' if kept else 'written'}  {files.cert} for {', '.join(names)}, and {files.key}")
    written = f'{{listen: "0.0.0.0:8443", cert: {files.cert}, key: {files.key}}}'
    print(f"in the site file: pages: {written}", file=sys.stderr)
    return DONE


def _trust(options: argparse.Namespace) -> int:
    def approve(where: _Where, now: datetime) -> Handled:
        return _together([where.tools.trust(where.folder, what, options.issuer, now) for what in options.what])

    return _done(options, approve, _told)


def _reject(options: argparse.Namespace) -> int:
    def take_back(where: _Where, now: datetime) -> Handled:
        return _together([where.tools.reject(where.folder, what, now) for what in options.what])

    return _done(options, take_back, _told)


def _list(options: argparse.Namespace) -> int:
    def look(where: _Where, now: datetime) -> Handled:
        tls = [one for key, file in _tls_files(where.site) for one in where.tools.read(file, key, now)]
        return Handled([*where.tools.entries(where.folder, now), *tls])

    def told(done: Handled, where: _Where, now: datetime) -> Iterator[str]:
        return _table(done.certificates, now) if done.certificates else iter([f"no certificates in {where.folder}"])

    return _done(options, look, told)


def _done(
    options: argparse.Namespace,
    do: Callable[[_Where, datetime], Handled],
    told: Callable[[Handled, _Where, datetime], Iterator[str]],
) -> int:
    """Find the folder, do it, show what was done; the exit code."""
    where, now = _where(options), datetime.now(UTC)
    try:
        done = do(where, now)
    except ValueError as error:
        return _failed(error, WRONG_USAGE)
    except (Refused, AccessDenied) as error:
        return _failed(error, FAILED)
    if options.json:
        _print_json(_document(done, where.folder, now))
    else:
        for line in told(done, where, now):
            print(line)
        for advice in done.advice:
            print(advice, file=sys.stderr)
    return DONE


def _failed(told: object, code: int) -> int:
    print(f"edge-agent cert: {told}", file=sys.stderr)
    return code


def _together(done: Sequence[Handled]) -> Handled:
    return Handled(
        [certificate for one in done for certificate in one.certificates],
        [file for one in done for file in one.files],
        list(dict.fromkeys(advice for one in done for advice in one.advice)),
    )


def _where(options: argparse.Namespace) -> _Where:
    """ConfigError if the site file is wrong."""
    tools = next(one.certificates for one in registry.drivers().values() if one.certificates is not None)
    if options.site is None:
        return _Where(options.pki or DEFAULT, tools, None)
    drivers, publishers = registry.drivers(), registry.publishers()
    site = load(options.site, drivers, publishers, profiles=registry.profiles(), servers=registry.servers())
    return _Where(site.agent.data_dir / "pki", tools, site)


def _tls_files(site: Site | None) -> Iterator[tuple[str, Path]]:
    """Every file of certificates that the site file names: (key, file), each file once."""
    seen: set[Path] = set()
    for key, file in _named_files(site, "") if site is not None else ():
        if file not in seen:
            seen.add(file)
            yield key, file


def _named_files(model: Any, key: str) -> Iterator[tuple[str, Path]]:
    inside: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(model, BaseModel):
        inside = iter(model)
    elif isinstance(model, Mapping):
        inside = iter(model.items())
    for name, value in inside:
        here = f"{key}.{name}" if key else str(name)
        if name in _TLS_FILES and isinstance(value, Path):
            yield here, value
        else:
            yield from _named_files(value, here)


# -- showing -------------------------------------------------------------------------------------


def _print_json(document: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def _document(done: Handled, folder: Path, now: datetime) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "certificates": [_row(one, now) for one in done.certificates],
        "files": list(map(str, done.files)),
        "advice": list(done.advice),
    }


def _row(one: Certificate, now: datetime) -> dict[str, Any]:
    return {
        "place": one.place, "file": str(one.file), "subject": one.subject, "uri": one.uri, "names": list(one.names),
        "fingerprint": one.fingerprint, "thumbprint": one.thumbprint, "begins": one.begins, "ends": one.ends,
        "days": _days(one, now), "remarks": list(one.remarks),
    }  # fmt: skip


def _days(one: Certificate, now: datetime) -> int | None:
    """Whole days until it ends, negative if it has."""
    return None if one.ends is None else (one.ends - now).days


def _told_whole(done: Handled, _where: _Where, _now: datetime) -> Iterator[str]:
    """A new certificate, a line for each of its facts; the files."""
    for one in done.certificates:
        yield f"subject          {one.subject}"
        yield f"application URI  {one.uri}"
        yield f"names            {', '.join(one.names)}"
        if one.begins and one.ends:
            yield f"valid            {one.begins:%Y-%m-%d} to {one.ends:%Y-%m-%d}"
        yield f"fingerprint      {one.fingerprint} (SHA-256)"
        yield f"thumbprint       {one.thumbprint} (SHA-1, as many servers show it)"
    for file in done.files:
        yield f"written          {file}"


def _told(done: Handled, _where: _Where, now: datetime) -> Iterator[str]:
    """What is where now."""
    for one in done.certificates:
        yield f"{one.place}: {one.fingerprint[:_DIGITS]}  {one.subject}  {_until(one, now)}"
    if not done.certificates:
        yield from (f"kept {file}" for file in done.files)


def _table(certificates: Sequence[Certificate], now: datetime) -> Iterator[str]:
    """A line a certificate; of one that cannot be read, its file."""
    cells = [("place", "fingerprint", "subject", "application URI", "until", "remarks")]
    for one in certificates:
        remarks = "; ".join(one.remarks)
        name = one.subject or str(one.file)
        cells.append((one.place, one.fingerprint[:_DIGITS], name, one.uri, _until(one, now), remarks))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]) - 1)]
    for row in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()


def _until(one: Certificate, now: datetime) -> str:
    if one.ends is None:
        return ""
    days = _days(one, now)
    return f"{one.ends:%Y-%m-%d} ({days} day{'' if days == 1 else 's'})"
