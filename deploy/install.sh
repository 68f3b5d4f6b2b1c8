#!/bin/sh
# Installs the agent on Raspberry Pi OS, Debian or Ubuntu (x86-64, arm64), updates it, and goes back.
#
#   install.sh              install this version, or update to it; if the new one does not come up, the old one is back
#   install.sh rollback     back to the version before
#   install.sh remove       take the programs away; the site file and the data stay
#
# Out of an unpacked bundle it needs no network; out of a checkout, pip fetches what is missing. The same again repairs.
#
#   /opt/edge-agent/versions/NAME   one version each, never changed; current and previous lead to two of them
#   /etc/edge-agent                 site.yaml, secrets.env, web.pem, web.key
#   /var/lib/edge-agent             the journal and everything else that the agent writes
set -eu

OPT=/opt/edge-agent
ETC=/etc/edge-agent
LIB=/var/lib/edge-agent
UNIT=/etc/systemd/system/edge-agent.service
OWNER=edge-agent
# As long as a gateway may need to look through its journal, and its devices to answer as before.
COMES_UP_S=${COMES_UP_S:-120}

here=$(cd "$(dirname "$0")" && pwd)

say() { echo "install.sh: $*" >&2; }
fail() { say "$*"; exit 1; }
has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

# -- what is to be installed -----------------------------------------------------------------------

find_python() {
  for python in python3 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (4,))' 2>/dev/null; then
      return
    fi
  done
  fail "Python 3.11 or later is missing: Debian 12, Ubuntu 24.04, Raspberry Pi OS 12 and later have it as python3"
}

# Both leave a whole version at $1, or fail.
from_bundle() {
  ( cd "$here" && sha256sum --check --quiet SHA256SUMS ) || fail "the bundle is damaged; nothing was changed"
  arch=$(cat "$here/ARCH")
  [ "$(uname -m)" = "$arch" ] || fail "this bundle is for $arch, this computer is $(uname -m)"
  minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  wanted=$here/requirements-$minor.txt
  [ -f "$wanted" ] || fail "this bundle has nothing for Python $minor; make bundle PYTHONS=$minor makes one that has"
  "$python" -m venv --without-pip "$1"
  set -- "$1" "$here"/wheels/pip-*.whl
  "$1/bin/python" "$2/pip" install --quiet --disable-pip-version-check --no-index --no-deps --require-hashes \
    --find-links "$here/wheels" --requirement "$wanted"
}

from_checkout() {
  "$python" -m venv "$1" || fail "python3-venv is missing: apt-get install python3-venv"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$here/..[ui]"
}

make_version() {
  find_python
  mkdir -p "$OPT/versions"
  # Scripts of a virtual environment name the folder it was made in: so it is made where it stays.
  if [ -f "$here/SHA256SUMS" ]; then name=$(cat "$here/VERSION"); else name=checkout; fi
  version=$OPT/versions/$name-$(date -u +%Y%m%d%H%M%S)
  trap 'rm -rf "$version"' EXIT
  if [ -f "$here/SHA256SUMS" ]; then from_bundle "$version"; else from_checkout "$version"; fi
  cp "$here/systemd/edge-agent.service" "$version/edge-agent.service"
  "$version/bin/edge-agent" --version >/dev/null || fail "the new version does not start; nothing was changed"
}

# -- what it needs around it -----------------------------------------------------------------------

make_owner() {
  getent group dialout >/dev/null || groupadd --system dialout
  getent passwd "$OWNER" >/dev/null ||
    useradd --system --user-group --home-dir "$LIB" --no-create-home --shell /usr/sbin/nologin "$OWNER"
  install -d -m 0750 -o "$OWNER" -g "$OWNER" "$ETC" "$LIB"
}

make_settings() {
  if [ ! -e "$ETC/site.yaml" ]; then
    id=$(uname -n | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9\n' '-' | cut -c1-40)
    zone=$(cat /etc/timezone 2>/dev/null || echo UTC)
    sed -e "s|\\\${ID}|gw-$id|g; s|\\\${ZONE}|$zone|g" -e 's|\$\${|${|g' "$here/systemd/site.yaml" >"$ETC/site.yaml"
    chown "$OWNER:$OWNER" "$ETC/site.yaml"
    chmod 0640 "$ETC/site.yaml"
  fi
  if [ ! -e "$ETC/secrets.env" ]; then
    echo "# NAME=value for each \${NAME} of the site file" >"$ETC/secrets.env"
    chown "root:$OWNER" "$ETC/secrets.env"
    chmod 0640 "$ETC/secrets.env"
  fi
  # One of the plant's own authority is left alone.
  if [ ! -e "$ETC/web.pem" ]; then
    set --
    for name in $(uname -n) $(hostname -I 2>/dev/null || true); do set -- "$@" --name "$name"; done
    as_owner "$version/bin/edge-agent" cert web --out "$ETC" "$@" >/dev/null 2>&1 || fail "could not make $ETC/web.pem"
  fi
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

switch_to() {
  ln -sfn "$1" "$OPT/next"
  mv -T "$OPT/next" "$OPT/current"
  install -D -m 0644 "$1/edge-agent.service" "$UNIT"
}

# How many lines stand: the first and third number of "2 of 3 devices, 1 of 1 destinations connected".
standing() {
  systemctl show --property StatusText --value edge-agent |
    sed -n 's/^\([0-9]*\) of [0-9]* devices, \([0-9]*\) of .*/\1 \2/p' | awk '{ print $1 + $2 }'
}

# True once it is ready, has stayed so, and as many devices and destinations are connected as before.
comes_up() {
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
    case "$one" in "$(readlink "$OPT/current")" | "$(readlink "$OPT/previous" 2>/dev/null)") ;; *) rm -rf "$one" ;; esac
  done
}

install_() {
  make_version
  make_owner
  make_settings
  as_owner "$version/bin/edge-agent" check "$ETC/site.yaml" >/dev/null ||
    fail "the new version finds mistakes in $ETC/site.yaml (above); nothing was changed"
  old=$(readlink "$OPT/current" 2>/dev/null || true)
  before=0
  if has_systemd && [ -n "$old" ]; then before=$(standing); fi
  switch_to "$version"
  trap - EXIT
  if has_systemd && ! comes_up "${before:-0}"; then
    say "the new version did not come up; its last words:"
    journalctl --unit edge-agent --lines 20 --no-pager >&2 2>/dev/null || true
    [ -n "$old" ] || fail "there is no version before to go back to; systemctl status edge-agent says more"
    switch_to "$old"
    rm -rf "$version"
    comes_up 0 || fail "the version before does not come up either; systemctl status edge-agent says more"
    fail "the version before is back and works"
  fi
  [ -z "$old" ] || ln -sfn "$old" "$OPT/previous"
  keep_two
  ln -sfn "$OPT/current/bin/edge-agent" /usr/local/bin/edge-agent
  "$OPT/current/bin/edge-agent" --version
  if has_systemd; then
    say "it runs; systemctl status edge-agent, journalctl -u edge-agent -f; site file $ETC/site.yaml"
  else
    say "no systemd here; to run it: su -s /bin/sh $OWNER -c '$OPT/current/bin/edge-agent run $ETC/site.yaml'"
  fi
}

rollback() {
  old=$(readlink "$OPT/current") || fail "nothing is installed"
  back=$(readlink "$OPT/previous") || fail "there is no version before"
  switch_to "$back"
  ln -sfn "$old" "$OPT/previous"
  if has_systemd; then comes_up 0 || fail "it did not come up; systemctl status edge-agent says more"; fi
  "$OPT/current/bin/edge-agent" --version
}

remove() {
  if has_systemd; then systemctl disable --now --quiet edge-agent 2>/dev/null || true; fi
  rm -rf "$OPT" "$UNIT" /usr/local/bin/edge-agent
  if has_systemd; then systemctl daemon-reload; fi
  say "removed; $ETC and $LIB stay"
}

[ "$(id -u)" = 0 ] || fail "needs root: sudo $0 $*"
case "${1:-install}" in
  install) install_ ;;
  rollback) rollback ;;
  remove) remove ;;
  *) say "unknown: $1; there are install, rollback and remove"; exit 2 ;;
esac
