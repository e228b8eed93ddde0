#!/bin/sh
# Makes the certificates that ask.test.ts reads. Run it in this folder; it needs OpenSSL 3 and leaves only .pem files.
# The keys protect nothing: they are for the fake server of the tests, on the loopback address.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

ca() { # file name, commonName
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -keyout "$tmp/$1.key" -out "$1.pem" \
    -subj "/CN=$2" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}

leaf() { # file name, subjectAltName, first and last second of validity
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/leaf.key" -out "$tmp/leaf.csr" \
    -subj "/CN=$1" 2>/dev/null
  : >"$tmp/index"
  cat >"$tmp/ca.cnf" <<CNF
[ca]
default_ca = this
[this]
database = $tmp/index
new_certs_dir = $tmp
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $2
CNF
  openssl ca -batch -notext -config "$tmp/ca.cnf" -cert trusted.pem -keyfile "$tmp/trusted.key" -in "$tmp/leaf.csr" \
    -startdate "$3" -enddate "$4" -out "$tmp/leaf.pem" 2>/dev/null
  cat "$tmp/leaf.key" "$tmp/leaf.pem" >"$1.pem"
}

ca trusted 'Noonmark test CA'
ca stranger 'Another test CA'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -keyout "$tmp/alone.key" \
  -out "$tmp/alone.crt" -subj /CN=alone -addext subjectAltName=DNS:localhost 2>/dev/null
cat "$tmp/alone.key" "$tmp/alone.crt" >alone.pem
leaf good DNS:localhost,IP:127.0.0.1 20200101000000Z 21200101000000Z
leaf elsewhere DNS:elsewhere.example 20200101000000Z 21200101000000Z
leaf expired DNS:localhost,IP:127.0.0.1 20200101000000Z 20210101000000Z
leaf future DNS:localhost,IP:127.0.0.1 21100101000000Z 21200101000000Z
