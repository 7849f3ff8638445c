/** Serves the page on this machine alone, with a policy that lets it connect to nothing else. */

import { createReadStream, existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const PORT_ROOT = new URL("../../", import.meta.url); // mobile_bridge/typescript, from dist/page/
const ROOT = new URL("../../", PORT_ROOT);
const PLACES: Readonly<Record<string, URL>> = {
  "/page/": new URL("page/", PORT_ROOT),
  "/dist/": new URL("dist/", PORT_ROOT),
  "/ort/": new URL("node_modules/onnxruntime-web/dist/", PORT_ROOT),
  "/bundle/": new URL("models/guard/", ROOT),
  "/development_key.pub": new URL("sdk/amparo/development_key.pub", ROOT),
};
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript",
  ".wasm": "application/wasm", ".json": "application/json",
};
export const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function serve(port = 0): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const wanted = path === "/" ? "/page/index.html" : path;
    const place = Object.keys(PLACES).find((prefix) => wanted.startsWith(prefix));
    const file = place && fileURLToPath(new URL(wanted.slice(place.length), PLACES[place]));
    const type = TYPES[extname(wanted)] ?? "application/octet-stream";
    const headers = { "content-security-policy": POLICY, "x-content-type-options": "nosniff", "cache-control": "no-store" };
    if (!file || !existsSync(file)) return void response.writeHead(404, headers).end();
    response.writeHead(200, { ...headers, "content-type": type });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await serve(8080);
  console.log("http://127.0.0.1:8080");
}
