#!/bin/sh
# Makes the bindings for C again, after a change of wit/: sh host/scaffold/c/generate.sh
#
# They are kept in the repository, because their generator is a Rust program that takes minutes to build, and whoever
# writes C should need a C compiler and nothing else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
tools=${PI_HOST_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/pi-host/toolchains}/wit-bindgen-0.61.1
[ -x "$tools/bin/wit-bindgen" ] ||
  cargo install wit-bindgen-cli --version 0.61.1 --locked --no-default-features --features c --root "$tools"

for kind in tool agent; do
  work=$(mktemp -d)
  cp -R "$root/wit/." "$work/"
  rm "$work/host.wit"
  cp "$here/world-$kind.wit" "$work/world.wit"
  "$tools/bin/wit-bindgen" c "$work" --world plugin --out-dir "$here/bindings-$kind"
  rm -r "$work"
done

# What they were made of: tests/languages.rs compares it with what there is.
(cd "$root" && find wit host/scaffold/c -type f -name '*.wit' ! -name host.wit | LC_ALL=C sort | xargs sha256sum) >"$here/bindings.sha256"
