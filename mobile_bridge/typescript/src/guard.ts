/** The guard: verify, run the canaries, assess. The same contract in every port. */

import { readBundle, type Bundle, type Parts } from "./bundle.js";
import type { Action, Assessment, Backend, GuardedConversation, GuardLike, Message, Policy, Session, StateStore, Status, Tier } from "./contract.js";
import { Conversation, type Model, type Reading } from "./conversation.js";
import { AmparoError } from "./errors.js";
import { CHILD_CUES, CUES } from "./generated.js";
import { LanguageIdentifier } from "./language.js";
import { Tokenizer } from "./tokenizer.js";

/** Conversations kept ready in memory; others are taken up again from the store. */
const MAX_OPEN = 1_000;

export interface GuardOptions {
  /** A single-file bundle, or its six files by name. */
  readonly bundle: Uint8Array | Parts;
  /** P-256 public keys, hex of the compressed point; no other signer counts. */
  readonly trustedKeys: readonly string[];
  readonly policy: Policy;
  readonly backend: Backend;
  /** Where states outlive the process; without one they are kept in memory. */
  readonly store?: StateStore;
  /** Seconds since the epoch. */
  readonly clock?: () => number;
}

export class Guard implements GuardLike {
  private queue: Promise<unknown> = Promise.resolve();
  private readonly open = new Map<string, Conversation>();

  private constructor(
    private readonly options: GuardOptions, private readonly store: StateStore,
    private model: Model | null, readonly problem: AmparoError | null,
  ) {}

  /** Never rejects for a bad bundle: the guard is then `unavailable`, so that an app cannot forget to show it. */
  static async open(options: GuardOptions): Promise<Guard> {
    const store = options.store ?? new MemoryStore();
    try {
      return new Guard(options, store, await load(options), null);
    } catch (error) {
      const problem = error instanceof AmparoError ? error : new AmparoError("bundle-format", "the bundle cannot be loaded");
      return new Guard(options, store, null, problem);
    }
  }

  get status(): Status {
    if (!this.options.policy.active) return "off";
    if (!this.model) return "unavailable";
    const now = (this.options.clock ?? (() => Date.now() / 1000))();
    return now > this.model.bundle.expires ? "stale" : "ready";
  }

  conversation(id: string, options: { readonly language?: string } = {}): GuardedConversation {
    const language = options.language ?? null;
    return {
      assess: (message) => this.inTurn(() => this.assess(id, language, message)),
      reset: () =>
        this.inTurn(() => {
          this.open.delete(id);
          return this.store.delete(id);
        }),
    };
  }

  async close(): Promise<void> {
    await this.inTurn(async () => {
      this.open.clear();
      await this.model?.session.release();
      this.model = null;
    });
  }

  private async takeUp(id: string, model: Model): Promise<Conversation> {
    const conversation = new Conversation(model, this.options.policy.profile, null);
    const stored = await this.store.load(id);
    if (stored) conversation.restore(stored);
    return conversation;
  }

  /** One message after another, also when the app doesn't wait. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.queue.then(work);
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async assess(id: string, language: string | null, message: Message): Promise<Assessment> {
    if (typeof message.text !== "string" || !(message.sender === null || typeof message.sender === "string"))
      throw new AmparoError("input", "a message needs a text, and a sender that is a string or null");
    if (!this.options.policy.active) return CALM;
    const model = this.model;
    if (!model) throw new AmparoError("unavailable", "the guard has no working bundle");
    const known = this.open.get(id) ?? (await this.takeUp(id, model));
    // A copy is advanced and takes the place of the known one only at the end: a failure changes nothing.
    const conversation = known.copy(language);
    const before = conversation.tier;
    const reading = await conversation.read(message);
    await this.store.save(id, conversation.toBytes());
    this.open.delete(id);
    this.open.set(id, conversation);
    if (this.open.size > MAX_OPEN) this.open.delete(this.open.keys().next().value as string);
    return assessment(message, reading, before, model.bundle);
  }
}

function assessment(message: Message, reading: Reading, before: Tier, bundle: Bundle): Assessment {
  const limits = bundle.cueThresholds;
  const hasSign = CUES.some((cue, i) => !CHILD_CUES.includes(cue) && (reading.cues[i] as number) >= (limits[i] as number));
  return {
    risk: reading.risk, tier: reading.tier, families: reading.families, rose: reading.tier > before,
    cues: Object.fromEntries(CUES.map((cue, i) => [cue, reading.cues[i] as number])),
    action: actionFor(reading.tier, message.sender === "child", hasSign),
    reducedConfidence: reading.reduced, modelVersion: bundle.version,
  };
}

/** What to do with this very message. The child's own messages are never held. */
export function actionFor(tier: Tier, fromChild: boolean, hasSign: boolean): Action {
  if (tier === 0) return "allow";
  if (fromChild) return tier >= 2 ? "warn" : "allow";
  if (tier === 3) return "offer_block";
  if (tier === 2) return hasSign ? "hold" : "warn";
  return hasSign ? "warn" : "allow";
}

const CALM: Assessment = {
  risk: 0, tier: 0, cues: Object.fromEntries(CUES.map((cue) => [cue, 0])), action: "allow", families: [], rose: false,
  reducedConfidence: false, modelVersion: "",
};

async function load(options: GuardOptions): Promise<Model> {
  const bundle = await readBundle(options.bundle, options.trustedKeys);
  const tokenizer = new Tokenizer(bundle.parts["tokenizer.amtk"] as Uint8Array);
  const identifier = new LanguageIdentifier(bundle.parts["language.amli"] as Uint8Array);
  const session = await options.backend.load(bundle.parts["guard.onnx"] as Uint8Array, bundle.stateSize);
  try {
    await checkCanaries(bundle, tokenizer, session);
  } catch (error) {
    await session.release();
    throw error;
  }
  return { bundle, session, tokenizer, identifier };
}

/** Run the bundle's own conversations and compare ids, scores and tiers. Throws bundle-canary. */
async function checkCanaries(bundle: Bundle, tokenizer: Tokenizer, session: Session): Promise<void> {
  let state = new Float32Array(bundle.stateSize);
  for (const [number, canary] of bundle.canaries.entries()) {
    const wrong = (why: string): never => {
      throw new AmparoError("bundle-canary", `canary ${number}: ${why}`);
    };
    if (canary.restart) state = new Float32Array(bundle.stateSize);
    const tokens = [tokenizer.bos, ...tokenizer.encode(canary.text), tokenizer.eos];
    if (JSON.stringify(tokens) !== JSON.stringify(canary.tokens)) wrong("the tokenizer gives other ids");
    const step = await session.step(Int32Array.from(tokens), Float32Array.from(canary.meta), state);
    const off = Math.max(Math.abs(step.risk - canary.risk), ...CUES.map((_, i) => Math.abs((step.cues[i] as number) - (canary.cues[i] as number))));
    if (!(off <= canary.tolerance)) wrong(`scores differ by ${off.toFixed(3)}`);
    if (canary.tier_certain && step.tier !== canary.tier) wrong(`tier ${step.tier} where ${canary.tier} was certain`);
    state = step.state as Float32Array<ArrayBuffer>;
  }
}

class MemoryStore implements StateStore {
  private readonly states = new Map<string, Uint8Array>();
  load(id: string): Promise<Uint8Array | null> {
    return Promise.resolve(this.states.get(id) ?? null);
  }
  save(id: string, state: Uint8Array): Promise<void> {
    this.states.set(id, state);
    return Promise.resolve();
  }
  delete(id: string): Promise<void> {
    this.states.delete(id);
    return Promise.resolve();
  }
}
