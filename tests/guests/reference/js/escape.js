// For the QuickJS back-end: a component has no Node.js and no browser, so each attempt takes whatever of them is
// there. The interfaces themselves, which it cannot import, are tried in starlingmonkey/escape.js.

import { attempt } from "./attempt.js";

export function escape({ port }) {
  const environment = Object.keys(globalThis.process?.env ?? {}).length;
  return {
    read_file: attempt(() => (globalThis.std ? std.loadFile("/etc/passwd") : require("node:fs").readFileSync("/etc/passwd")).length),
    write_file: attempt(() => (globalThis.std ? std.open("/tmp/pi-host-escape", "w").puts("out") : require("node:fs").writeFileSync("/tmp/pi-host-escape", "out"))),
    list_folder: attempt(() => (globalThis.os ? os.readdir("/") : require("node:fs").readdirSync("/"))),
    environment: { escaped: environment > 0, said: `${environment} variables` },
    connect: attempt(() => new WebSocket(`ws://127.0.0.1:${port}/`)),
    resolve: attempt(() => require("node:dns").lookup("localhost", () => {})),
    process: attempt(() => (globalThis.os ? os.exec(["/bin/sh", "-c", "true"]) : require("node:child_process").execFileSync("/bin/sh", ["-c", "true"]))),
  };
}
