/** The few parts of ZIP that a bundle uses; what a header claims is never believed, so a bomb stays small. */

import { AmparoError } from "./errors.js";
import { crc32 } from "./language.js";

const damaged = (): AmparoError => new AmparoError("bundle-format", "the bundle file cannot be unpacked");

/** Unpack exactly the named members, each to at most `limit(name)` bytes. Throws bundle-format. */
export async function unzip(
  file: Uint8Array, names: readonly string[], limit: (name: string) => number, maxBytes: number,
): Promise<Record<string, Uint8Array>> {
  if (file.length > maxBytes) throw new AmparoError("bundle-format", `a bundle file is at most ${maxBytes} bytes`);
  const entries = directory(file);
  if (JSON.stringify(entries.map((e) => e.name).sort()) !== JSON.stringify([...names].sort()))
    throw new AmparoError("bundle-format", "a bundle file holds the six files of a bundle and nothing else");
  const parts: Record<string, Uint8Array> = {};
  for (const entry of entries) {
    const bytes = await member(file, entry, limit(entry.name));
    if (crc32(bytes) !== entry.crc) throw damaged();
    parts[entry.name] = bytes;
  }
  return parts;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly start: number;
}

function directory(file: Uint8Array): Entry[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let end = file.length - 22;
  while (end >= Math.max(0, file.length - 22 - 65_535) && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) throw damaged();
  const entries: Entry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (at + 46 > file.length || view.getUint32(at, true) !== 0x02014b50) throw damaged();
    const nameSize = view.getUint16(at + 28, true);
    if (view.getUint16(at + 8, true) & 1) throw damaged(); // encrypted
    entries.push({
      name: new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameSize)),
      method: view.getUint16(at + 10, true), crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true), start: view.getUint32(at + 42, true),
    });
    at += 46 + nameSize + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

async function member(file: Uint8Array, entry: Entry, maxBytes: number): Promise<Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (entry.start + 30 > file.length || view.getUint32(entry.start, true) !== 0x04034b50) throw damaged();
  const start = entry.start + 30 + view.getUint16(entry.start + 26, true) + view.getUint16(entry.start + 28, true);
  if (start + entry.packed > file.length) throw damaged();
  const packed = file.slice(start, start + entry.packed);
  if (entry.method === 0) return capped([packed], maxBytes, entry.name);
  if (entry.method !== 8) throw damaged();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const chunks: Uint8Array[] = [];
  const reader = stream.getReader();
  try {
    for (let size = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      if ((size += value.length) > maxBytes) break;
    }
  } catch {
    throw damaged();
  }
  await reader.cancel().catch(() => undefined);
  return capped(chunks, maxBytes, entry.name);
}

function capped(chunks: readonly Uint8Array[], maxBytes: number, name: string): Uint8Array {
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (size > maxBytes) throw new AmparoError("bundle-format", `${name} is larger than ${maxBytes} bytes`);
  const out = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
