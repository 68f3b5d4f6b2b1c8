#!/bin/sh
# The real peers of the tests: mosquitto, InfluxDB, VictoriaMetrics, a C compiler with libmodbus, socat, mbpoll,
# node-opcua, sparkplug-payload; chromium, which shows the pages.
# Where they cannot be installed, the tests that need them skip and say so.
set -u
want=""
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || want="$want mosquitto"
command -v influxd >/dev/null || want="$want influxdb"
command -v victoria-metrics >/dev/null || want="$want victoria-metrics"
command -v openssl >/dev/null || want="$want openssl"
command -v gcc >/dev/null || want="$want gcc libc6-dev"
command -v mbpoll >/dev/null || want="$want mbpoll"
command -v socat >/dev/null || want="$want socat"
command -v chromium >/dev/null || want="$want chromium fonts-wqy-microhei"
[ -e /usr/include/modbus/modbus.h ] || want="$want libmodbus-dev"
if [ -n "$want" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $want >/dev/null \
      || echo "peers: could not install$want; tests that need them will skip"
    # Debian starts servers as services where it can, also at each boot; the tests start their own.
    for server in mosquitto influxdb victoria-metrics; do
      case "$want" in *" $server"*)
        command -v service >/dev/null && service "$server" stop >/dev/null 2>&1
        command -v systemctl >/dev/null && systemctl disable "$server" >/dev/null 2>&1
      esac
    done
  else
    echo "peers: not root; install yourself, or some tests will skip: apt-get install$want"
  fi
fi
if command -v npm >/dev/null; then
  here=$(dirname "$0")/node
  [ -d "$here/node_modules/node-opcua" ] && [ -d "$here/node_modules/sparkplug-payload" ] \
    || (cd "$here" && npm install --no-audit --no-fund --no-package-lock --silent) \
    || echo "peers: could not install node-opcua and sparkplug-payload; their tests will skip"
else
  echo "peers: no npm; the tests with node-opcua and sparkplug-payload will skip"
fi
exit 0
