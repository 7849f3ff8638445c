import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Guard } from "../src/index.js";
import { backend, SPEC } from "./files.js";

interface Vectors {
  readonly trusted_keys: string[];
  readonly now_s: number;
  readonly bundles: readonly { readonly file: string; readonly expect: string; readonly why: string; readonly installs: boolean }[];
}
const folder = new URL("bundles/", SPEC);
const vectors = JSON.parse(readFileSync(new URL("vectors.json", folder), "utf8")) as Vectors;

for (const row of vectors.bundles) {
  test(`bundle ${row.file}: ${row.expect}`, async () => {
    const guard = await Guard.open({
      bundle: new Uint8Array(readFileSync(new URL(row.file, folder))), trustedKeys: vectors.trusted_keys,
      policy: { profile: 0, active: true }, backend: backend(), clock: () => vectors.now_s,
    });
    const expect = row.installs ? "ready" : row.expect; // installing is the app's part in this port
    const message = { sender: "contact", text: "hello" };
    if (expect === "ready" || expect === "stale") {
      assert.equal(guard.status, expect, guard.problem?.message);
      assert.ok((await guard.conversation("a").assess(message)).risk > 0);
    } else {
      assert.equal(guard.problem?.code, expect);
      assert.equal(guard.status, "unavailable");
      await assert.rejects(guard.conversation("a").assess(message), { code: "unavailable" });
    }
    await guard.close();
  });
}
