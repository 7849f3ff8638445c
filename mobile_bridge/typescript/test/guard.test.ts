import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Guard, type Assessment, type StateStore } from "../src/index.js";
import { backend, DEVELOPMENT_KEY, folder, ROOT, rows, type ConversationVector } from "./files.js";

/** As the bundle's canaries declare it: one rounding flip of dynamic int8 can move a score this far. */
const TOLERANCE = 0.05;
const vectors = rows<ConversationVector>("conversations.jsonl.gz");
const bundle = folder(new URL("models/guard/", ROOT));
const guards: Guard[] = [];

before(async () => {
  for (const profile of [0, 1, 2] as const)
    guards.push(await Guard.open({ bundle, trustedKeys: [DEVELOPMENT_KEY], policy: { profile, active: true }, backend: backend(), clock: () => 1_800_000_000 }));
});
after(async () => {
  for (const guard of guards) await guard.close();
});

test("whole conversations through wasm: tiers equal where certain, scores within tolerance", async () => {
  let [messages, worst, unequal] = [0, 0, 0];
  for (const vector of vectors) {
    const guard = guards[vector.profile] as Guard;
    assert.equal(guard.status, "ready", guard.problem?.message);
    const conversation = guard.conversation(vector.id, vector.language ? { language: vector.language } : {});
    for (const [i, message] of vector.messages.entries()) {
      const got: Assessment = await conversation.assess(message);
      const want = vector.expect[i];
      assert.ok(want);
      const off = Math.max(Math.abs(got.risk - want.risk), ...Object.values(got.cues).map((v, k) => Math.abs(v - (want.cues[k] ?? NaN))));
      assert.ok(off <= TOLERANCE, `${vector.id} message ${i}: scores differ by ${off}`);
      assert.equal(got.reducedConfidence, want.reduced, `${vector.id} message ${i}: another language`);
      if (got.tier !== want.tier) unequal += 1;
      if (want.certain) {
        const seen = { tier: got.tier, rose: got.rose, families: got.families };
        assert.deepEqual(seen, { tier: want.tier, rose: want.rose, families: want.families }, `${vector.id} message ${i}`);
      }
      worst = Math.max(worst, off);
      messages += 1;
    }
  }
  console.log(JSON.stringify({ conversations: vectors.length, messages, worst_difference: worst, unequal_tiers: unequal }));
  assert.ok(vectors.some((v) => v.expect.some((e) => e.certain && e.tier >= 2)), "the vectors hold no certain alert");
});

test("reset forgets, and a conversation is taken up from the store by another guard", async () => {
  const kept = new Map<string, Uint8Array>();
  const store: StateStore = {
    load: (id) => Promise.resolve(kept.get(id) ?? null),
    save: (id, state) => Promise.resolve(void kept.set(id, state)),
    delete: (id) => Promise.resolve(void kept.delete(id)),
  };
  const open = (): Promise<Guard> =>
    Guard.open({ bundle, trustedKeys: [DEVELOPMENT_KEY], policy: { profile: 0, active: true }, backend: backend(), store });
  const vector = vectors.find((v) => v.language === "en" && v.expect.at(-1)?.tier === 3) ?? vectors.find((v) => v.expect.at(-1)?.tier);
  assert.ok(vector);
  const hint = { language: vector.language ?? "en" };
  const [whole, first, second] = [await open(), await open(), await open()];
  const half = vector.messages.length >> 1;
  const through: number[] = [];
  for (const m of vector.messages) through.push((await whole.conversation("a", hint).assess(m)).risk);
  const resumed: number[] = [];
  for (const [i, m] of vector.messages.entries()) resumed.push((await (i < half ? first : second).conversation("b", hint).assess(m)).risk);
  assert.deepEqual(resumed, through);
  await second.conversation("b").reset();
  assert.equal(kept.has("b"), false);
  const again = await second.conversation("b", hint).assess(vector.messages[0] as ConversationVector["messages"][0]);
  assert.equal(again.risk, through[0]);
  for (const guard of [whole, first, second]) await guard.close();
});

test("a failing step or store changes nothing", async () => {
  let fails = false;
  const real = backend();
  const shaky = {
    load: async (graph: Uint8Array, size: number) => {
      const session = await real.load(graph, size);
      return { ...session, step: (...args: Parameters<typeof session.step>) => (fails ? Promise.reject(new Error("out of memory")) : session.step(...args)) };
    },
  };
  const guard = await Guard.open({ bundle, trustedKeys: [DEVELOPMENT_KEY], policy: { profile: 0, active: true }, backend: shaky });
  const [one, two] = [guard.conversation("x", { language: "en" }), guard.conversation("y", { language: "en" })];
  const say = (text: string) => ({ sender: "contact", text, sentAt: null });
  await one.assess(say("hi"));
  await two.assess(say("hi"));
  fails = true;
  await assert.rejects(one.assess(say("how old are you")));
  fails = false;
  const expected = await two.assess(say("how old are you"));
  assert.deepEqual(await one.assess(say("how old are you")), expected);
  await guard.close();
  await assert.rejects(one.assess(say("hi")), { code: "unavailable" });
});

test("off at 18, stale when expired, unavailable with another key", async () => {
  const open = (trustedKeys: string[], active: boolean, clock: () => number): Promise<Guard> =>
    Guard.open({ bundle, trustedKeys, policy: { profile: 0, active }, backend: backend(), clock });
  const off = await open([DEVELOPMENT_KEY], false, () => 1_800_000_000);
  assert.equal(off.status, "off");
  assert.equal((await off.conversation("a").assess({ sender: null, text: "hello" })).tier, 0);
  const stale = await open([DEVELOPMENT_KEY], true, () => 4_000_000_000);
  assert.equal(stale.status, "stale");
  assert.ok((await stale.conversation("a").assess({ sender: null, text: "hello" })).risk > 0);
  const other = await open([`02${DEVELOPMENT_KEY.slice(2)}`, `03${DEVELOPMENT_KEY.slice(2)}`].filter((k) => k !== DEVELOPMENT_KEY), true, () => 0);
  assert.equal(other.status, "unavailable");
  assert.equal(other.problem?.code, "bundle-signature");
  await assert.rejects(other.conversation("a").assess({ sender: null, text: "hello" }), { code: "unavailable" });
  for (const guard of [off, stale]) await guard.close();
});
