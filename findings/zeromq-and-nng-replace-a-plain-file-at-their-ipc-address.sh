#!/usr/bin/env bash
# libzmq 4.3.4 and nng 1.5.2: binding an `ipc://` address whose path is an ordinary file of the user removes that file and puts a
# socket there, and says that all is well. bind(2) itself would have said "address already in use". A typing error in an
# address, or an address that was left empty but for its folder's log file, costs that file. (Over another's live socket nng
# says "address in use"; libzmq takes that name away as well.)
#
# Seen (Debian 12: libzmq5 4.3.4-6, libnng1 1.5.2-2):
#   zeromq: status 0, the file is now a socket
#   nng: status 0, the file is now a socket
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# What they link with as well, all of it unpacked here and nothing installed.
apt-get -qq -o APT::Sandbox::User=root download libzmq3-dev=4.3.4-6 libzmq5=4.3.4-6 libnng-dev=1.5.2-2 libnng1=1.5.2-2 libnorm1 libpgm-5.3-0 \
  libsodium23 libbsd0 libmd0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 \
  libmbedtls14 libmbedx509-1 libmbedcrypto7 >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=root/usr/lib/x86_64-linux-gnu
cat >zeromq.c <<'CC'
#include <stdio.h>
#include <zmq.h>
int main(int count, char** words) {
  void* context = zmq_ctx_new();
  void* socket = zmq_socket(context, ZMQ_PULL);
  return count == 2 ? -zmq_bind(socket, words[1]) : 2;
}
CC
cat >nng.c <<'CC'
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
int main(int count, char** words) {
  nng_socket socket;
  if (count != 2 || nng_pub0_open(&socket) != 0) return 2;
  return nng_listen(socket, words[1], NULL, 0);
}
CC
export LD_LIBRARY_PATH=$libraries:root/lib/x86_64-linux-gnu
for library in zeromq nng; do
  gcc -Iroot/usr/include "$library.c" -L"$libraries" -Wl,--allow-shlib-undefined -lzmq -lnng -o "$library"
  echo "notes of a user" >"$library.txt"
  status=0
  "./$library" "ipc://$scratch/$library.txt" || status=$?
  kind=$(stat -c %F "$library.txt" 2>/dev/null || echo gone)
  echo "$library: status $status, the file is now: $kind"
  [ "$status" -eq 0 ]
  [ "$kind" != "regular file" ]
done
