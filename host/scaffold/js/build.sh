command -v node >/dev/null || missing "there is no node here" "install Node.js 20 or later"
command -v npm >/dev/null || missing "there is no npm here" "install the npm that belongs to Node.js"
if ! cmp -s package-lock.json node_modules/installed.json; then
  # Not `npm ci`: it refuses a lock without the packages of platforms that were never published.
  npm install --no-save --no-audit --no-fund
  cp package-lock.json node_modules/installed.json
fi

mkdir -p build
npx --no-install jco componentize app.js --wit wit --world-name plugin --backend quickjs --backend-qjs-disable-async --out build/plugin.wasm
"$pi_host" plugin pack build/plugin.wasm --manifest plugin.json --output {{name}}.wasm
