/**
 * SentencePiece unigram: longest-prefix normaliser, float32 Viterbi, nothing else. Special tokens in a
 * text are text. Source: Kudo and Richardson 2018; darts-clone's unit layout (normalizer.cc).
 */

import { Reader } from "./bytes.js";
import { AmparoError } from "./errors.js";
import { clean } from "./text.js";

const SPACE = "\u2581";
const f32 = Math.fround;

interface Node {
  readonly next: Map<number, Node>;
  id: number;
  score: number;
}
const node = (): Node => ({ next: new Map(), id: -1, score: 0 });

export class Tokenizer {
  readonly bos: number;
  readonly eos: number;
  private readonly unk: number;
  private readonly unkScore: number;
  private readonly root = node();
  private readonly units: Uint32Array;
  private readonly strings: Uint8Array;

  /** @param table the bundle's `tokenizer.amtk`. Throws bundle-format. */
  constructor(table: Uint8Array) {
    const read = new Reader(table, "tokenizer table");
    read.magic("AMTK\x01");
    const count = read.u32();
    this.bos = read.u32();
    this.eos = read.u32();
    this.unk = read.u32();
    const mapBytes = read.u32();
    if (count > 1 << 20 || Math.max(this.bos, this.eos, this.unk) >= count) throw read.damaged();
    if (mapBytes < 8 || mapBytes > 1 << 24) throw read.damaged();
    [this.units, this.strings] = charsmap(read.raw(mapBytes));
    const scores = read.floats(count);
    let lowest = 0;
    for (let id = 0; id < count; id++) {
      const piece = read.utf8(read.u16());
      const score = scores[id] as number;
      if (piece === "" || id === this.unk) continue; // control pieces have no text of their own
      lowest = Math.min(lowest, score);
      let at = this.root;
      for (const char of piece) {
        const key = char.codePointAt(0) as number;
        let below = at.next.get(key);
        if (!below) at.next.set(key, (below = node()));
        at = below;
      }
      at.id = id;
      at.score = score;
    }
    read.end();
    this.unkScore = f32(f32(lowest) - 10);
  }

  /** Apply the longest-prefix map, fold runs of spaces, mark spaces as U+2581. */
  normalize(text: string): string {
    const bytes = new TextEncoder().encode(clean(text));
    let out = "";
    let previousIsSpace = true;
    for (let at = 0; at < bytes.length; ) {
      const [mapped, size] = this.longestPrefix(bytes, at);
      at += size;
      const piece: string = previousIsSpace ? mapped.replace(/^ +/, "") : mapped;
      if (piece) {
        out += piece;
        previousIsSpace = piece.endsWith(" ");
      }
    }
    const joined = out.replaceAll(" ", SPACE).replace(/\u2581+$/, "");
    return joined ? SPACE + joined : "";
  }

  /** The ids of a text, without bos and eos; runs of unknown characters give one id. */
  encode(text: string): number[] {
    const chars = Array.from(this.normalize(text), (char) => char.codePointAt(0) as number);
    const size = chars.length;
    const best = new Float32Array(size + 1);
    const from = new Int32Array(size + 1).fill(-1);
    const ids = new Int32Array(size + 1);
    const offer = (end: number, score: number, start: number, id: number): void => {
      if ((from[end] as number) >= 0 && score <= (best[end] as number)) return;
      best[end] = score;
      from[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < size; start++) {
      const here = best[start] as number;
      let single = false;
      let at: Node | undefined = this.root;
      for (let end = start; end < size; ) {
        at = at.next.get(chars[end] as number);
        if (!at) break;
        end += 1;
        if (at.id < 0) continue;
        single ||= end === start + 1;
        offer(end, f32(here + at.score), start, at.id);
      }
      if (!single) offer(start + 1, f32(here + this.unkScore), start, this.unk);
    }
    const found: number[] = [];
    for (let end = size; end > 0; end = from[end] as number) {
      const id = ids[end] as number;
      if (id !== this.unk || found[found.length - 1] !== this.unk) found.push(id);
    }
    return found.reverse();
  }

  private longestPrefix(bytes: Uint8Array, start: number): [string, number] {
    const units = this.units;
    let at = offset(units[0] as number);
    let value = -1;
    let length = 0;
    for (let i = start; i < bytes.length; i++) {
      at ^= bytes[i] as number;
      const unit = units[at];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== bytes[i]) break;
      at ^= offset(unit);
      if ((unit >>> 8) & 1) {
        value = (units[at] as number) & 0x7fffffff;
        length = i - start + 1;
      }
    }
    const decode = (part: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(part);
    if (length) return [decode(this.strings.subarray(value, this.strings.indexOf(0, value))), length];
    const lead = bytes[start] as number;
    const size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return [decode(bytes.subarray(start, start + size)), size];
  }
}

const offset = (unit: number): number => (unit >>> 10) << ((unit & 512) >>> 6);

function charsmap(blob: Uint8Array): [Uint32Array, Uint8Array] {
  const read = new Reader(blob, "charsmap");
  const size = read.u32();
  if (size % 4 || size === 0 || 4 + size > blob.length) throw new AmparoError("bundle-format", "the charsmap is damaged");
  return [Uint32Array.from({ length: size / 4 }, read.u32), blob.subarray(4 + size)];
}
