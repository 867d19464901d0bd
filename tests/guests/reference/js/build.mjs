// The StarlingMonkey build, with `http`: jco 1.35 cannot make it by its command line with Node.js 20, the
// componentize-js that it brings along can. Called by build.sh, beside the folder node_modules.

import { writeFileSync } from "node:fs";
import { componentize } from "@bytecodealliance/componentize-js";

const [source, wit, output] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: source,
  witPath: wit,
  worldName: "plugin-that-tries",
  // `fetch` stays, and brings a version of wasi:http of its own; what would answer requests goes.
  disableFeatures: ["fetch-event"],
});
writeFileSync(output, component);
