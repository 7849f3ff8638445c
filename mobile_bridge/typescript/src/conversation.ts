/** One conversation as the model sees it: language, steps, a state for each sender towards the child. */

import type { Bundle } from "./bundle.js";
import { Reader } from "./bytes.js";
import type { Message, Session, Tier } from "./contract.js";
import { AmparoError } from "./errors.js";
import { CONFIG as c, CUES, FAMILIES, LANGUAGES } from "./generated.js";
import type { LanguageIdentifier } from "./language.js";
import type { Tokenizer } from "./tokenizer.js";

const CHILD = "child";
const CONTACT = "contact";
const NOBODY_YET = "";
const MAX_SENDERS = 64;
const CHILD_REACHES = 3;
const MAX_GAP_S = 400 * 86_400;
const ENOUGH_EVIDENCE = 4;
const f32 = Math.fround;

export interface Model {
  readonly bundle: Bundle;
  readonly session: Session;
  readonly tokenizer: Tokenizer;
  readonly identifier: LanguageIdentifier;
}

export interface Reading {
  readonly cues: Float32Array;
  readonly risk: number;
  readonly tier: Tier;
  readonly families: readonly string[];
  readonly reduced: boolean;
}

/** Mutable model state; holds no text. `language` is the app's hint, or null to identify it. */
export class Conversation {
  private states = new Map<string, Float32Array>();
  private evidence: Float32Array | null = null;
  private guess = 1;
  private last: number | null = null;

  constructor(private readonly model: Model, private readonly profile: number, private readonly language: string | null) {}

  /** An independent copy; states are replaced, never changed in place. */
  copy(language: string | null): Conversation {
    const copy = new Conversation(this.model, this.profile, language);
    copy.states = new Map(this.states);
    copy.evidence = this.evidence;
    copy.guess = this.guess;
    copy.last = this.last;
    return copy;
  }

  /** Advance by one message; a text longer than the graph takes enters as consecutive steps. */
  async read(message: Message): Promise<Reading> {
    const sender = message.sender || CONTACT;
    const language = this.languageIndex(message.text);
    const meta = new Float32Array(c.META_SIZE);
    meta[c.META_IS_CHILD] = message.sender === CHILD ? 1 : 0;
    meta[c.META_IS_CONTACT] = message.sender !== null && message.sender !== CHILD ? 1 : 0;
    meta[c.META_GAP_S] = this.gap(message.sentAt ?? null);
    meta[c.META_PROFILE] = this.profile;
    meta[c.META_LANGUAGE] = language;
    const { tokenizer, session } = this.model;
    const steps = parts(tokenizer.encode(message.text)).map((p) => Int32Array.of(tokenizer.bos, ...p, tokenizer.eos));
    const cues = new Float32Array(CUES.length);
    for (const target of this.targets(sender)) {
      for (const [number, tokens] of steps.entries()) {
        meta[c.META_CONTINUES] = number > 0 ? 1 : 0;
        const step = await session.step(tokens, meta, this.states.get(target) as Float32Array);
        this.states.set(target, step.state);
        step.cues.forEach((score, i) => (cues[i] = Math.max(cues[i] as number, score)));
      }
    }
    const worst = this.worst();
    return {
      cues, families: this.families(worst), reduced: this.guess === 0, tier: (worst[c.STATE_TIER] ?? 0) as Tier,
      risk: Math.max(...Array.from(this.states.values(), (s) => s[c.STATE_RISK] as number)),
    };
  }

  get tier(): Tier {
    return Math.max(0, ...Array.from(this.states.values(), (s) => s[c.STATE_TIER] as number)) as Tier;
  }

  private worst(): Float32Array {
    const rank = (s: Float32Array): [number, number] => [s[c.STATE_TIER] as number, s[c.STATE_RISK] as number];
    return Array.from(this.states.values()).reduce((a, b) => {
      const [tierA, riskA] = rank(a);
      const [tierB, riskB] = rank(b);
      return tierB > tierA || (tierB === tierA && riskB > riskA) ? b : a;
    });
  }

  /** Whose states a message advances: the sender's own; the child's goes to those who spoke last. */
  private targets(sender: string): string[] {
    const fresh = (): Float32Array => new Float32Array(this.model.bundle.stateSize);
    if (sender === CHILD) {
      if (!this.states.size) this.states.set(NOBODY_YET, fresh());
      return [...this.states.keys()].slice(-CHILD_REACHES);
    }
    let state = this.states.get(sender);
    if (!state) {
      this.makeRoom();
      // What the child said first belongs to whoever answers first.
      state = this.states.get(NOBODY_YET) ?? fresh();
      this.states.delete(NOBODY_YET);
    }
    this.states.delete(sender); // insertion order is the order of who spoke last
    this.states.set(sender, state);
    return [sender];
  }

  private makeRoom(): void {
    if (this.states.size < MAX_SENDERS) return;
    const tier = (s: Float32Array): number => s[c.STATE_TIER] as number;
    const [calmest] = [...this.states].reduce((a, b) => (tier(b[1]) < tier(a[1]) ? b : a));
    this.states.delete(calmest);
  }

  private gap(sentAt: number | null): number {
    if (sentAt === null || !Number.isFinite(sentAt)) return -1;
    const before = this.last;
    this.last = sentAt;
    return before === null ? -1 : Math.min(Math.max(sentAt - before, 0), MAX_GAP_S);
  }

  /** The app's hint, else the best guess from the conversation so far. */
  private languageIndex(text: string): number {
    if (this.language !== null) {
      this.guess = this.indexOf(this.language.toLowerCase().replaceAll("_", "-").split("-")[0] as string);
      return this.guess;
    }
    const more = this.model.identifier.evidence(text);
    const before = this.evidence;
    this.evidence = before ? more.map((v, i) => f32(f32((before[i] as number) * f32(0.95)) + v)) : more;
    const ranked = Array.from(this.evidence, (v, i) => [v, i] as const).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    const [first, second] = [ranked[0] as readonly [number, number], ranked[1] as readonly [number, number]];
    const clear = f32(first[0] - second[0]) >= ENOUGH_EVIDENCE;
    if (this.evidence.some((v) => v !== 0) && (clear || this.guess === 1)) {
      const guess = this.indexOf(this.model.identifier.labels[first[1]] as string);
      // Only clear evidence takes the alert away from a conversation.
      if (guess || clear) this.guess = guess;
    }
    return this.guess;
  }

  private indexOf(code: string): number {
    const languages = this.model.bundle.languages;
    const full = Object.hasOwn(languages, code) && languages[code] === "full";
    return full ? Math.max(0, (LANGUAGES as readonly string[]).indexOf(code)) : 0;
  }

  private families(state: Float32Array): string[] {
    const limits = this.model.bundle.cueThresholds;
    const present = new Set<string>(CUES.filter((_, i) => (state[c.STATE_SEEN + i] as number) >= (limits[i] as number)));
    return Object.entries(FAMILIES).filter(([, cues]) => cues.some((cue) => present.has(cue))).map(([name]) => name);
  }

  /** The same bytes as Python's `Conversation.to_bytes`. */
  toBytes(): Uint8Array {
    const names = [...this.states.keys()].map((name) => new TextEncoder().encode(name).subarray(0, 65_535));
    const size = 32 + [...this.states.values()].reduce((sum, s, i) => sum + 4 + (names[i] as Uint8Array).length + 4 * s.length, 0);
    const out = new Uint8Array(size);
    const view = new DataView(out.buffer);
    out.set(new TextEncoder().encode("AMST"));
    view.setUint8(4, 1);
    out.set(this.key(), 5);
    view.setUint8(21, this.guess);
    view.setFloat64(22, this.last ?? -1, true);
    view.setUint16(30, this.states.size, true);
    let at = 32;
    [...this.states.values()].forEach((state, i) => {
      const name = names[i] as Uint8Array;
      view.setUint16(at, name.length, true);
      view.setUint16(at + 2, state.length, true);
      out.set(name, at + 4);
      at += 4 + name.length;
      state.forEach((value, k) => view.setFloat32(at + 4 * k, value, true));
      at += 4 * state.length;
    });
    return out;
  }

  /** Take up a stored state; of another model's, the stable prefix only. Throws state. */
  restore(blob: Uint8Array): void {
    const read = new Reader(blob, "state");
    read.magic("AMST");
    const version = read.u8();
    const key = read.raw(16);
    const guess = read.u8();
    const last = read.f64();
    if (version !== 1 || guess >= LANGUAGES.length) throw new AmparoError("state", "the stored state is of an unknown version");
    const same = this.key().every((byte, i) => byte === key[i]);
    const states = new Map<string, Float32Array>();
    for (let left = read.u16(); left > 0; left--) {
      const nameSize = read.u16();
      const floats = read.u16();
      const name = read.utf8(nameSize);
      states.set(name, this.adopt(read.floats(floats), same));
    }
    this.states = states;
    this.guess = guess;
    this.last = last < 0 ? null : last;
  }

  private adopt(stored: Float32Array, same: boolean): Float32Array {
    if (stored.length < c.STABLE || !stored.every(Number.isFinite))
      throw new AmparoError("state", "the stored state is too short or not finite");
    if (same && stored.length === this.model.bundle.stateSize) return stored;
    const state = new Float32Array(this.model.bundle.stateSize);
    state.set(stored.subarray(0, c.STABLE));
    return state;
  }

  private key(): Uint8Array {
    const id = this.model.bundle.modelId;
    return Uint8Array.from({ length: 16 }, (_, i) => parseInt(id.slice(2 * i, 2 * i + 2), 16));
  }
}

function parts(ids: readonly number[]): (readonly number[])[] {
  const body = c.MAX_TOKENS - 2;
  const found: (readonly number[])[] = [];
  for (let i = 0; i < Math.max(ids.length, 1); i += body) found.push(ids.slice(i, i + body));
  const half = c.MAX_STEPS / 2;
  return found.length > c.MAX_STEPS ? [...found.slice(0, half), ...found.slice(-half)] : found;
}
