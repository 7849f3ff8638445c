/** The signed bundle: the checks in the order in which they are made. */

import { AmparoError } from "./errors.js";
import { CUES, SCHEMA, SDK_VERSION } from "./generated.js";
import { unzip } from "./zip.js";

export const FILES = ["guard.onnx", "tokenizer.amtk", "language.amli", "canaries.json"] as const;
const MANIFEST = "manifest.json";
const SIGNATURE = "manifest.sig";
const MAX_FILE_BYTES = 64 << 20;
export type Parts = Readonly<Record<string, Uint8Array>>;

export interface Canary {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly meta: readonly number[];
  readonly cues: readonly number[];
  readonly risk: number;
  readonly tier: number;
  readonly tier_certain?: boolean;
  readonly restart?: boolean;
  readonly tolerance: number;
}

export interface Bundle {
  readonly version: string;
  readonly modelId: string;
  /** Seconds since the epoch. */
  readonly expires: number;
  readonly languages: Readonly<Record<string, string>>;
  readonly cueThresholds: readonly number[];
  readonly stateSize: number;
  readonly parts: Parts;
  readonly canaries: readonly Canary[];
}

const limit = (name: string): number => (name === MANIFEST ? 1 << 20 : name === SIGNATURE ? 64 : MAX_FILE_BYTES);

/** Read a single-file bundle (ZIP) or its files by name, and verify it. Throws AmparoError. */
export async function readBundle(source: Uint8Array | Parts, trustedKeys: readonly string[]): Promise<Bundle> {
  const names = [MANIFEST, SIGNATURE, ...FILES];
  const parts = source instanceof Uint8Array ? await unzip(source, names, limit, MAX_FILE_BYTES) : source;
  for (const name of names) {
    const part = parts[name];
    if (!part) throw new AmparoError("bundle-format", `the bundle lacks ${name}`);
    if (part.length > limit(name)) throw new AmparoError("bundle-format", `${name} is larger than ${limit(name)} bytes`);
  }
  const manifest = parts[MANIFEST] as Uint8Array;
  await verifySignature(manifest, parts[SIGNATURE] as Uint8Array, trustedKeys);
  const bundle = parseManifest(parse(manifest, "the manifest"), parts);
  for (const name of FILES) {
    const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", exact(parts[name] as Uint8Array))));
    if (bundle.files[name] !== digest) throw new AmparoError("bundle-signature", `${name} is not the file that was signed`);
  }
  const canaries = (parse(parts["canaries.json"] as Uint8Array, "canaries.json") as { canaries?: Canary[] }).canaries;
  if (!Array.isArray(canaries) || !canaries.length) throw new AmparoError("bundle-format", "the bundle has no canaries");
  return { ...bundle, canaries };
}

function parse(bytes: Uint8Array, what: string): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // falls through: one error for all
  }
  throw new AmparoError("bundle-format", `${what} cannot be read`);
}

type Unchecked = Omit<Bundle, "canaries"> & { readonly files: Readonly<Record<string, string>> };

function parseManifest(raw: unknown, parts: Parts): Unchecked {
  const m = raw as Record<string, unknown>;
  const wrong = (): never => {
    throw new AmparoError("bundle-format", "the manifest cannot be read");
  };
  if (!("schema" in m)) wrong();
  if (m["schema"] !== SCHEMA) throw new AmparoError("bundle-version", "the bundle is of another schema");
  const text = (name: string): string => (typeof m[name] === "string" ? (m[name] as string) : wrong());
  const number = (name: string): number => (Number.isSafeInteger(m[name]) ? (m[name] as number) : wrong());
  const map = (name: string): Record<string, never> =>
    typeof m[name] === "object" && m[name] !== null ? (m[name] as Record<string, never>) : wrong();
  if (later(release(text("minimum_sdk"), wrong), release(SDK_VERSION, wrong)))
    throw new AmparoError("bundle-version", `the bundle needs SDK ${text("minimum_sdk")} or later`);
  if (JSON.stringify(m["cues"]) !== JSON.stringify(CUES)) wrong();
  const limits: unknown = (map("thresholds") as Record<string, unknown>)["cue"];
  if (!Array.isArray(limits) || limits.length !== CUES.length || !/^[0-9a-f]{64}$/.test(text("model_id"))) wrong();
  return {
    version: text("version"), modelId: text("model_id"), expires: number("expires"), stateSize: number("state_size"),
    languages: map("languages"), cueThresholds: (limits as number[]).map(Math.fround), files: map("files"), parts,
  };
}

const release = (version: string, wrong: () => never): number[] =>
  /^\d+(\.\d+)*$/.test(version) ? version.split(".").map(Number) : wrong();

function later(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? -1) - (b[i] ?? -1);
    if (difference) return difference > 0;
  }
  return false;
}

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** ECDSA P-256 with SHA-256, raw r || s, low s. Throws bundle-signature. */
export async function verifySignature(payload: Uint8Array, signature: Uint8Array, trustedKeys: readonly string[]): Promise<void> {
  const r = BigInt(`0x0${hex(signature.subarray(0, 32))}`);
  const s = BigInt(`0x0${hex(signature.subarray(32))}`);
  if (signature.length !== 64 || r <= 0n || r >= ORDER || s <= 0n || s > ORDER / 2n)
    throw new AmparoError("bundle-signature", "the signature is not 64 bytes of r and low s");
  for (const key of trustedKeys) {
    const point = decompress(key);
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const imported = await crypto.subtle.importKey("raw", exact(point), algorithm, false, ["verify"]);
    if (await crypto.subtle.verify(algorithm, imported, exact(signature), exact(payload))) return;
  }
  throw new AmparoError("bundle-signature", "the manifest is not signed by a trusted key");
}

/** Browsers need not take compressed points, so the second coordinate is worked out here. */
function decompress(key: string): Uint8Array {
  const wrong = new AmparoError("bundle-signature", "a trusted key is not a compressed P-256 point in hex");
  if (!/^0[23][0-9a-f]{64}$/i.test(key)) throw wrong;
  const x = BigInt(`0x${key.slice(2)}`);
  const square = (((x * x * x - 3n * x + B) % P) + P) % P;
  let y = 1n;
  for (let e = (P + 1n) / 4n, base = square; e > 0n; e >>= 1n, base = (base * base) % P) if (e & 1n) y = (y * base) % P;
  if (x >= P || (y * y) % P !== square) throw wrong;
  if ((y & 1n) !== BigInt(Number(key[1]) & 1)) y = P - y;
  const digits = `04${key.slice(2)}${y.toString(16).padStart(64, "0")}`;
  return Uint8Array.from({ length: 65 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
const exact = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
