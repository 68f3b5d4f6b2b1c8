#!/bin/sh
# What the long tests of deploy/ need beside tests/peers. Where something cannot be installed, its tests skip and say so.
set -u
want=""
need() { command -v "$1" >/dev/null || want="$want $2"; }
need podman "podman buildah runc fuse-overlayfs"
need catatonit catatonit
need mmdebstrap mmdebstrap
need debootstrap debootstrap
need qemu-aarch64-static qemu-user-static
need promtool prometheus
need systemd-analyze systemd
need shellcheck shellcheck
need mosquitto mosquitto
[ -n "$want" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "deploy: not root, or no apt-get; install yourself, or some tests will skip: $want"
  exit 0
fi
apt-get update -qq
for package in $want; do
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
    echo "deploy: could not install $package; tests that need it will skip"
done
# Debian starts servers as services where it can; here only the program is wanted.
for server in prometheus mosquitto; do
  case "$want" in *"$server"*)
    command -v service >/dev/null && service "$server" stop >/dev/null 2>&1
    command -v systemctl >/dev/null && systemctl disable "$server" >/dev/null 2>&1 ;;
  esac
done
exit 0
