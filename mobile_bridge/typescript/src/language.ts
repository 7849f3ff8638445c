/** Which language a conversation is in: hashed character n-grams, one matrix. */

import { Reader } from "./bytes.js";
import { clean } from "./text.js";

/** What Python's `[^\W\d_]+` matches: letters and numbers that are not decimal digits. */
const WORDS = /[\p{L}\p{Nl}\p{No}]+/gu;
const MAX_NGRAM = 4;
const MAX_CHARS = 2_000;
const f32 = Math.fround;
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 255] as number);
  return (crc ^ 0xffffffff) >>> 0;
}

export class LanguageIdentifier {
  readonly labels: readonly string[];
  private readonly buckets: number;
  private readonly scale: number;
  private readonly weights: Int8Array;

  /** @param blob the bundle's `language.amli`. Throws bundle-format. */
  constructor(blob: Uint8Array) {
    const read = new Reader(blob, "language identifier");
    read.magic("AMLI\x01");
    this.buckets = read.u32();
    const classes = read.u16();
    this.scale = read.f32();
    this.labels = read.utf8(read.u16()).split("\0");
    if (this.labels.length !== classes) throw read.damaged();
    const raw = read.raw(this.buckets * classes);
    read.end();
    this.weights = new Int8Array(raw.buffer, raw.byteOffset, raw.length);
  }

  /** Log-odds that a text adds to each label; all zero for emoji or digits. */
  evidence(text: string): Float32Array {
    const classes = this.labels.length;
    const sums = new Float64Array(classes); // whole numbers: exact in any order
    const part = Array.from(clean(text)).slice(0, MAX_CHARS).join("").toLowerCase();
    const encoder = new TextEncoder();
    let total = 0;
    for (const [word] of part.matchAll(WORDS)) {
      const chars = [" ", ...word, " "];
      for (let size = 1; size <= MAX_NGRAM; size++) {
        for (let i = 0; i + size <= chars.length; i++) {
          const row = (crc32(encoder.encode(chars.slice(i, i + size).join(""))) % this.buckets) * classes;
          for (let k = 0; k < classes; k++) sums[k] = (sums[k] as number) + (this.weights[row + k] as number);
          total += 1;
        }
      }
    }
    const weight = f32(this.scale / Math.sqrt(Math.max(total / 40, 1)));
    return Float32Array.from(sums, (sum) => f32(f32(sum) * weight));
  }
}
