import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import * as ort from "onnxruntime-web";
import type { Backend } from "../src/index.js";
import { onnxRuntimeWeb } from "../src/onnxruntime-web.js";

export const ROOT = new URL("../../../../", import.meta.url); // of the repository, from dist/test/
export const SPEC = new URL("mobile_bridge/spec/", ROOT);
export const DEVELOPMENT_KEY = readFileSync(new URL("sdk/amparo/development_key.pub", ROOT), "utf8").trim();

export function backend(): Backend {
  return onnxRuntimeWeb(ort, fileURLToPath(new URL("../../node_modules/onnxruntime-web/dist/", import.meta.url)));
}

/** A bundle folder as its files by name; missing files are left out. */
export function folder(url: URL): Record<string, Uint8Array> {
  const names = ["manifest.json", "manifest.sig", "guard.onnx", "tokenizer.amtk", "language.amli", "canaries.json"];
  return Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(new URL(name, url)))]));
}

export function rows<T>(name: string): T[] {
  const text = gunzipSync(readFileSync(new URL(`vectors/${name}`, SPEC))).toString("utf8");
  return text.trimEnd().split("\n").map((line) => JSON.parse(line) as T);
}

export interface Expected {
  readonly risk: number;
  readonly tier: number;
  readonly certain: boolean;
  readonly cues: readonly number[];
  readonly rose: boolean;
  readonly families: readonly string[];
  readonly action: string;
  readonly reduced: boolean;
}

export interface ConversationVector {
  readonly id: string;
  readonly language: string | null;
  readonly profile: 0 | 1 | 2;
  readonly messages: readonly { readonly sender: string | null; readonly text: string; readonly sentAt: number }[];
  readonly expect: readonly Expected[];
  readonly state: string;
}
