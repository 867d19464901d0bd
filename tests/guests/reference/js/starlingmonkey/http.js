// For the StarlingMonkey back-end, in place of ../http.js.

import { handle } from "wasi:http/outgoing-handler@0.2.12";
import { Fields, OutgoingRequest } from "wasi:http/types@0.2.12";
import { firstLine } from "./text.js";

const BODY_BYTES_MAX = 1 << 20;

export function http({ url }) {
  const [, scheme, authority, path] = /^(https?):\/\/([^/?#]+)([^#]*)/.exec(url) ?? [];
  if (!authority) throw `not a URL: ${url}`;
  const request = new OutgoingRequest(new Fields());
  request.setScheme({ tag: scheme.toUpperCase() });
  request.setAuthority(authority);
  request.setPathWithQuery(path.startsWith("/") ? path : `/${path}`);
  const answer = handle(request, undefined);
  answer.subscribe().block();
  const outcome = answer.get().val;
  if (outcome.tag === "err") throw outcome.val;
  const body = outcome.val.consume();
  const stream = body.stream();
  const bytes = [];
  try {
    while (bytes.length < BODY_BYTES_MAX) bytes.push(...stream.blockingRead(4096n));
  } catch (error) {
    if ((error.payload ?? error).tag !== "closed") throw error;
  }
  return { status: outcome.val.status(), first_line: firstLine(bytes) };
}
