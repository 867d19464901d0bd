#!/bin/sh
# Makes the certificates that the tests of TLS use, by openssl. The keys protect nothing: they are
# public, and no machine trusts the authority.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
until_2100=21000101000000Z
touch "$work/index.txt"
cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = own
[own]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CNF

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

# authority FILE
authority() {
    key "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "/CN=test authority $1" -out "$work/$1.csr"
    openssl ca -batch -notext -config "$work/ca.cnf" -selfsign -keyfile "$work/$1.key" -in "$work/$1.csr" \
        -extensions authority -startdate 20200101000000Z -enddate $until_2100 -out "$1.pem" 2> /dev/null
}

# server FILE NAMES FROM UNTIL
server() {
    openssl req -new -key server.key -subj "/CN=test server" -addext "subjectAltName=$2" -out "$work/$1.csr"
    openssl ca -batch -notext -config "$work/ca.cnf" -cert authority.pem -keyfile "$work/authority.key" \
        -in "$work/$1.csr" -startdate "$3" -enddate "$4" -out "$1.pem" 2> /dev/null
}

key server.key
authority authority
authority other_authority
server server "DNS:localhost,IP:127.0.0.1" 20200101000000Z $until_2100
server of_other_name "DNS:other.example" 20200101000000Z $until_2100
server expired "DNS:localhost,IP:127.0.0.1" 20000101000000Z 20010101000000Z
