command -v python3 >/dev/null || missing "there is no python3 here, by which the C compiler is installed" "install Python 3.8 or later"
if ! cmp -s requirements.txt .venv/installed.txt; then
  rm -rf .venv
  python3 -m venv .venv || missing "python3 has no module venv" "on Debian and Ubuntu: apt-get install python3-venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
  cp requirements.txt .venv/installed.txt
fi

mkdir -p build
.venv/bin/python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -Os -s -Wall -I. -o build/plugin.wasm \
  plugin.c json.c bindings/plugin.c bindings/plugin_component_type.o
"$pi_host" plugin pack build/plugin.wasm --manifest plugin.json --output {{name}}.wasm
