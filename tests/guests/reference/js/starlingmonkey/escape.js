// For the StarlingMonkey back-end, in place of ../escape.js: the interfaces behind files, variables and sockets are
// imported and called, and so is the engine's own `fetch`, which sends by `wasi:http`.

import { getEnvironment } from "wasi:cli/environment@0.2.12";
import { getDirectories } from "wasi:filesystem/preopens@0.2.12";
import { instanceNetwork } from "wasi:sockets/instance-network@0.2.12";
import { createTcpSocket } from "wasi:sockets/tcp-create-socket@0.2.12";
import { attempt, refused } from "./attempt.js";

const UP = "../../../../../../../..";

// From the first folder that is open, if any is, to what is above it.
function open(path, opened, allowed) {
  const [folder] = getDirectories();
  if (!folder) throw "no folder is open";
  return folder[0].openAt({ symlinkFollow: true }, UP + path, opened, allowed);
}

async function fetched(url) {
  try {
    return { escaped: true, said: `status ${(await fetch(url)).status}` };
  } catch (error) {
    return refused(error);
  }
}

export async function escape({ port }) {
  const environment = getEnvironment().length;
  return {
    read_file: attempt(() => open("/etc/passwd", {}, { read: true }).read(4096n, 0n)[0].length),
    write_file: attempt(() => open("/tmp/pi-host-escape", { create: true }, { write: true }).write(new Uint8Array([111]), 0n)),
    list_folder: attempt(() => open("/", { directory: true }, { read: true }).readDirectory().readDirectoryEntry().name),
    environment: { escaped: environment > 0, said: `${environment} variables` },
    connect: attempt(() => createTcpSocket("ipv4").startConnect(instanceNetwork(), { tag: "ipv4", val: { port, address: [127, 0, 0, 1] } })),
    // By a name that is not granted: componentize-js 0.22 cannot give a network to `wasi:sockets/ip-name-lookup`.
    resolve: await fetched(`http://localhost:${port}/`),
    // The first is not granted; the second is, and refused by policy.
    fetch: await fetched(`http://127.0.0.2:${port}/`),
    fetch_metadata: await fetched("http://169.254.169.254/latest/meta-data/"),
  };
}
