command -v python3 >/dev/null || missing "there is no python3 here" "install Python 3.10 or later"
if ! cmp -s requirements.txt .venv/installed.txt; then
  rm -rf .venv
  python3 -m venv .venv || missing "python3 has no module venv" "on Debian and Ubuntu: apt-get install python3-venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
  cp requirements.txt .venv/installed.txt
fi

# Names that stay as they are when the world gets one more interface that is called `types` or `store`.
names="--import-interface-name pi:tool/types@0.1.0=tool_types --import-interface-name wasi:http/types@0.2.12=http_types
  --import-interface-name wasi:keyvalue/store@0.2.0-draft=keyvalue --import-interface-name wasi:config/store@0.2.0-rc.1=config"

mkdir -p build
# shellcheck disable=SC2086
.venv/bin/componentize-py --quiet --wit-path wit --world plugin $names componentize app --python-path src --output build/plugin.wasm
"$pi_host" plugin pack build/plugin.wasm --manifest plugin.json --output {{name}}.wasm
