import assert from "node:assert/strict";
import { existsSync, mkdtempSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { serve } from "../page/serve.js";
import { rows, type ConversationVector } from "./files.js";

const BROWSER = process.env["AMPARO_CHROMIUM"] ?? "/usr/bin/chromium";
const skip = existsSync(BROWSER) ? false : `no Chromium at ${BROWSER}; set AMPARO_CHROMIUM`;
/** The page's policy is that of a nine year old: profile 0. */
const vectors = rows<ConversationVector>("conversations.jsonl.gz").filter((v) => v.profile === 0);

test("a page under a strict policy, its server stopped: the same tiers", { skip, timeout: 180_000 }, async () => {
  const server = await serve();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "amparo-")), {
    executablePath: BROWSER, headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  try {
    const page = await context.newPage();
    const [complaints, asked]: [string[], string[]] = [[], []];
    page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
    page.on("request", (r) => asked.push(r.url()));
    await page.goto(url);
    await page.waitForSelector("#text:enabled, #status:has-text('unavailable')"); // no polling: the policy forbids eval
    assert.equal(await page.textContent("#status"), "ready");
    assert.ok(asked.every((address) => address.startsWith(url) || address.startsWith("blob:")), asked.join(" "));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await page.evaluate(() => fetch("/").then(() => "answered", () => "stopped")), "stopped");
    assert.equal(await page.evaluate(() => fetch("https://example.org/").then(() => "answered", () => "stopped")), "stopped");
    assert.ok(complaints.some((text) => /Content Security Policy/.test(text)), "the policy let a foreign address pass");
    complaints.length = 0;

    let alerts = 0;
    for (const vector of vectors.slice(0, 8)) {
      for (const [i, message] of vector.messages.entries()) {
        const got = await page.evaluate(
          ([m, id, language]) => window.assess(m, id, language),
          [message, vector.id, vector.language] as const,
        );
        if (vector.expect[i]?.certain) assert.equal(got.tier, vector.expect[i].tier, `${vector.id} message ${i}`);
        alerts += got.tier >= 2 && got.rose ? 1 : 0;
      }
    }
    assert.ok(alerts > 0, "no conversation reached an alert");
    await page.fill("#text", "hello there");
    await page.click("button");
    await page.waitForSelector("#messages li");
    assert.match((await page.textContent("#messages li")) ?? "", /contact: hello there calm, allow/);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    server.close();
  }
});
