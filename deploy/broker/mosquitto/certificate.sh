#!/bin/sh
# A certificate of the plant's own authority, which is made the first time; into the folder one is in.
#
#   certificate.sh broker broker.example 10.0.0.5     broker.pem and .key, for the names by which it is reached
#   certificate.sh gw-01                              gw-01.pem and .key: a gateway's, named as its agent
#
# ca.pem is for everybody, a key for whom it is of; ca.key makes gateways of anybody: keep it away from all of them.
set -eu
umask 077
[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }

make() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "$@"; }

[ -f ca.pem ] ||
  make -days 3650 -subj "/CN=authority of the plant" -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.pem

names=DNS:$1
for name in "$@"; do
  case "$name" in *[!0-9.]*) names=$names,DNS:$name ;; *) names=$names,IP:$name ;; esac
done
make -CA ca.pem -CAkey ca.key -extensions usr_cert -days 825 -subj "/CN=$1" -addext "subjectAltName=$names" \
  -keyout "$1.key" -out "$1.pem"
chmod 0644 ca.pem "$1.pem"
