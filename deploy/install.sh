#!/bin/sh
# Installs the agent on Raspberry Pi OS, Debian or Ubuntu (x86-64, arm64), updates it, and goes back.
#
#   install.sh              install this version, or update to it; if the new one does not come up, the old one is back
#   install.sh rollback     back to the version before; the same again goes forward
#   install.sh remove       take the programs away; settings and data stay
#
# Out of an unpacked bundle it needs no network; out of a checkout, pip fetches what is missing. The same again repairs.
# Afterwards, for rollback and remove: /opt/edge-agent/current/install.sh
#
#   /opt/edge-agent/versions/NAME   one version each, never changed; current and previous lead to two of them
#   /etc/edge-agent                 site.yaml, secrets.env, web.pem, web.key
#   /var/lib/edge-agent             the journal and everything else that the agent writes
set -eu
# Programs are for everybody to read, whatever root's own files are.
umask 022

OPT=/opt/edge-agent
ETC=/etc/edge-agent
LIB=/var/lib/edge-agent
UNIT=/etc/systemd/system/edge-agent.service
OWNER=edge-agent
# As long as a gateway may need to look through its journal, and its devices to answer as before.
COMES_UP_S=${COMES_UP_S:-120}
# A version, its byte code, and what pip unpacks besides: about twice of what stays.
ROOM_MB=500

here=$(cd "$(dirname "$0")" && pwd)

# Whoever has hung up hears nothing; what was begun is ended all the same.
say() { echo "install.sh: $*" >&2 || true; }
fail() { say "$*"; exit 1; }
usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }
has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }
is_bundle() { [ -f "$here/SHA256SUMS" ]; }

# -- what is to be installed -----------------------------------------------------------------------

find_python() {
  found=""
  for python in python3 python3.13 python3.12 python3.11; do
    minor=$("$python" -c 'import venv; from sys import version_info as at; assert at >= (3, 11); print("%d.%d" % at[:2])' \
      2>/dev/null) || continue
    if ! is_bundle || [ -f "$here/requirements-$minor.txt" ]; then return; fi
    found="$found $minor"
  done
  [ -z "$found" ] ||
    fail "this bundle has nothing for Python$found; make bundle PYTHONS=${found##* } makes one that has"
  fail "Python 3.11 or later is missing: Debian 12, Ubuntu 24.04, Raspberry Pi OS 12 and later have it as python3"
}

# Both leave a whole version at $1, or fail.
from_bundle() {
  ( cd "$here" && sha256sum --check --quiet SHA256SUMS ) || fail "the bundle is damaged; nothing was changed"
  arch=$(cat "$here/ARCH")
  [ "$(uname -m)" = "$arch" ] || fail "this bundle is for $arch, this computer is $(uname -m)"
  "$python" -c 'import sys; sys.exit(sys.maxsize < 2**32)' ||
    fail "the system on this computer is a 32-bit one; the bundle needs the 64-bit one"
  "$python" -m venv --without-pip "$1"
  set -- "$1" "$here"/wheels/pip-*.whl
  "$1/bin/python" "$2/pip" install --quiet --disable-pip-version-check --no-index --no-deps --require-hashes \
    --find-links "$here/wheels" --requirement "$here/requirements-$minor.txt" ||
    fail "the wheels could not be installed (above); nothing was changed"
}

from_checkout() {
  "$python" -m venv "$1" || fail "python3-venv is missing: apt-get install python3-venv"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$here/..[ui]" ||
    fail "pip could not install it (above); nothing was changed. Without internet it needs a bundle: make bundle"
}

make_version() {
  is_bundle || [ -f "$here/../pyproject.toml" ] || fail "what to install is in a bundle or a checkout, not here"
  find_python
  mkdir -p "$OPT/versions"
  free_mb=$(df -Pk "$OPT" | awk 'NR == 2 { print int($4 / 1024) }')
  [ "${free_mb:-$ROOM_MB}" -ge "$ROOM_MB" ] ||
    fail "$OPT has $free_mb MB free, $ROOM_MB are needed; nothing was changed"
  # Scripts of a virtual environment name the folder it was made in: so it is made where it stays.
  if is_bundle; then name=$(cat "$here/VERSION"); else name=checkout; fi
  version=$OPT/versions/$name-$(date -u +%Y%m%d%H%M%S)
  trap 'rm -rf "$version"' EXIT && trap 'exit 1' HUP INT TERM
  if is_bundle; then from_bundle "$version"; else from_checkout "$version"; fi
  cp "$here/install.sh" "$here/systemd/edge-agent.service" "$version/"
  "$version/bin/edge-agent" --version >/dev/null || fail "the new version does not start; nothing was changed"
}

# -- what it needs around it -----------------------------------------------------------------------

make_owner() {
  getent group dialout >/dev/null || groupadd --system dialout
  getent passwd "$OWNER" >/dev/null ||
    useradd --system --user-group --groups dialout --home-dir "$LIB" --no-create-home --shell /usr/sbin/nologin "$OWNER"
  install -d -m 0750 -o "$OWNER" -g "$OWNER" "$ETC" "$LIB"
}

make_settings() {
  if [ ! -e "$ETC/site.yaml" ]; then
    id=$(uname -n | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9\n' '-' | cut -c1-40)
    sed -e "s|\\\${ID}|gw-$id|g; s|\\\${ZONE}|$(zone)|g" -e 's|\$\${|${|g' "$here/systemd/site.yaml" >"$ETC/site.yaml.new"
    settle "$ETC/site.yaml" "$OWNER"
  fi
  if [ ! -e "$ETC/secrets.env" ]; then
    echo "# NAME=value for each \${NAME} of the site file" >"$ETC/secrets.env.new"
    settle "$ETC/secrets.env" root
  fi
  # One of the plant's own authority is left alone.
  if [ ! -e "$ETC/web.pem" ]; then
    set --
    for name in $(names); do set -- "$@" --name "$name"; done
    said=$(as_owner "$version/bin/edge-agent" cert web --out "$ETC" "$@" 2>&1) || fail "no $ETC/web.pem: $said"
  fi
}

# $1.new becomes $1, in one piece, with the owner that it stays with.
settle() { chown "$2:$OWNER" "$1.new" && chmod 0640 "$1.new" && mv "$1.new" "$1"; }

# Where this computer's clock is; /etc/timezone may be older than that.
zone() {
  link=$(readlink -f /etc/localtime || true)
  case "$link" in
    */zoneinfo/*) echo "${link##*/zoneinfo/}" ;;
    *) cat /etc/timezone 2>/dev/null || echo UTC ;;
  esac
}

# What people type to get here. Raspberry Pi OS answers to NAME.local.
names() {
  case "$(uname -n)" in *.*) uname -n ;; *) uname -n && echo "$(uname -n).local" ;; esac
  hostname -I 2>/dev/null || true
}

# With the rights and the secrets that the service has.
as_owner() (
  cd "$LIB"
  while IFS= read -r line; do
    case "$line" in [A-Za-z_]*=*) export "${line?}" ;; esac
  done <<SECRETS
$(sed 's/^\([A-Za-z_0-9]*\)=\(["'"'"']\)\(.*\)\2$/\1=\3/' "$ETC/secrets.env")
SECRETS
  exec setpriv --reuid "$OWNER" --regid "$OWNER" --init-groups -- "$@"
)

# -- switching -------------------------------------------------------------------------------------

# The link $1 leads to $2; at every moment it leads somewhere, whatever dies.
lead() { ln -sfn "$2" "$OPT/$1.new" && mv -T "$OPT/$1.new" "$OPT/$1"; }

# Its target as it is written; nothing if that is not there.
leads_to() { link=$(readlink "$OPT/$1" || true) && if [ -d "$link" ]; then echo "$link"; fi; }

switch_to() {
  lead current "$1"
  install -D -m 0644 "$1/edge-agent.service" "$UNIT"
}

fits() { as_owner "$1/bin/edge-agent" check "$ETC/site.yaml" >/dev/null; }

# How many lines stand: the first and third number of "2 of 3 devices, 1 of 1 destinations connected".
standing() {
  systemctl show --property StatusText --value edge-agent |
    sed -n 's/^\([0-9]*\) of [0-9]* devices, \([0-9]*\) of .*/\1 \2/p' | awk '{ print $1 + $2 }'
}

# True once it is ready, has stayed so, and as many devices and destinations are connected as before.
comes_up() {
  say "starting; this may take some minutes"
  systemctl daemon-reload
  systemctl enable --quiet edge-agent 2>/dev/null || true
  systemctl restart edge-agent || return 1
  restarts=$(systemctl show --property NRestarts --value edge-agent)
  waited=0
  while [ "$waited" -lt "$COMES_UP_S" ]; do
    sleep 1
    waited=$((waited + 1))
    systemctl is-active --quiet edge-agent || return 1
    [ "$(systemctl show --property NRestarts --value edge-agent)" = "$restarts" ] || return 1
    found=$(standing)
    if [ "$waited" -ge 10 ] && [ "${found:-0}" -ge "$1" ]; then return 0; fi
  done
  return 1
}

keep_two() {
  for one in "$OPT"/versions/*; do
    case "$one" in "$(leads_to current)" | "$(leads_to previous)") ;; *) rm -rf "$one" ;; esac
  done
}

install_() {
  make_version
  make_owner
  make_settings
  fits "$version" || fail "the new version finds mistakes in $ETC/site.yaml (above); nothing was changed"
  old=$(leads_to current)
  older=$(leads_to previous)
  before=0
  if has_systemd && [ -n "$old" ]; then before=$(standing); fi
  # From here on it goes one way or the other, though the line to this terminal may break.
  trap - EXIT && trap '' HUP INT TERM
  [ -z "$old" ] || lead previous "$old"
  switch_to "$version"
  if has_systemd && ! comes_up "${before:-0}"; then undo; fi
  keep_two
  ln -sfn "$OPT/current/bin/edge-agent" /usr/local/bin/edge-agent
  "$OPT/current/bin/edge-agent" --version
  if has_systemd; then
    say "it runs; systemctl status edge-agent, journalctl -u edge-agent -f; site file $ETC/site.yaml"
    [ -n "$old" ] || say_where
  else
    say "no systemd here; to run it: su -s /bin/sh $OWNER -c '$OPT/current/bin/edge-agent run $ETC/site.yaml'"
  fi
}

undo() {
  say "the new version did not come up; its last words:"
  journalctl --unit edge-agent --lines 20 --no-pager >&2 2>/dev/null || true
  [ -n "$old" ] || fail "there is no version before to go back to; systemctl status edge-agent says more"
  switch_to "$old"
  rm -rf "$version" "$OPT/previous"
  [ -z "$older" ] || lead previous "$older"
  comes_up 0 || fail "the version before does not come up either; systemctl status edge-agent says more"
  fail "the version before is back and works"
}

# The first time: where to look, and the code that makes whoever has it the first engineer.
say_where() {
  code=$(journalctl --unit edge-agent --output cat --no-pager 2>/dev/null | sed -n 's/.*first visit is //p' | tail -n 1)
  say "pages: https://$(uname -n):8443${code:+, code of the first visit: $code}"
}

rollback() {
  old=$(leads_to current)
  back=$(leads_to previous)
  if [ -z "$old" ] || [ -z "$back" ]; then fail "there is no version before"; fi
  fits "$back" || fail "the version before finds mistakes in $ETC/site.yaml (above); nothing was changed"
  trap '' HUP INT TERM
  lead previous "$old"
  switch_to "$back"
  has_systemd && ! comes_up 0 &&
    fail "it did not come up, systemctl status edge-agent says more; $0 rollback goes forward again"
  "$OPT/current/bin/edge-agent" --version
}

remove() {
  if has_systemd; then systemctl disable --now --quiet edge-agent 2>/dev/null || true; fi
  rm -rf "$OPT" "$UNIT" /usr/local/bin/edge-agent
  if has_systemd; then systemctl daemon-reload; fi
  say "removed; $ETC and $LIB stay"
}

case "${1:-install}" in -h | --help | help) usage; exit 0 ;; esac
[ "$(id -u)" = 0 ] || fail "needs root: sudo $0 $*"
case "${1:-install}" in
  install) install_ ;;
  rollback) rollback ;;
  remove) remove ;;
  *) say "unknown: $1"; usage >&2; exit 2 ;;
esac
