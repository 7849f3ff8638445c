/** The smallest app: one conversation, the tier beside each message. */

import type * as Ort from "onnxruntime-web";
import { Guard, policyForAge, type Assessment, type Message } from "../src/index.js";
import { onnxRuntimeWeb } from "../src/onnxruntime-web.js";

const TIERS = ["calm", "notice", "concern", "urgent"] as const;
const find = <T extends HTMLElement>(selector: string): T => document.querySelector(selector) as T;

declare global {
  interface Window {
    assess(message: Message, conversation: string, language: string | null): Promise<Assessment>;
  }
}

async function fetched(path: string): Promise<Uint8Array> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function start(): Promise<void> {
  const runtime = "/ort/ort.wasm.min.mjs"; // not a literal import: the page, not the compiler, finds it
  const ort = (await import(runtime)) as typeof Ort;
  const names = ["manifest.json", "manifest.sig", "guard.onnx", "tokenizer.amtk", "language.amli", "canaries.json"];
  const files = await Promise.all(names.map(async (name) => [name, await fetched(`/bundle/${name}`)] as const));
  const key = new TextDecoder().decode(await fetched("/development_key.pub")).trim();
  const guard = await Guard.open({
    bundle: Object.fromEntries(files), trustedKeys: [key], policy: policyForAge(9), backend: onnxRuntimeWeb(ort, "/ort/"),
  });
  window.assess = (message, id, language) => guard.conversation(id, language ? { language } : {}).assess(message);
  find("#status").textContent = guard.problem ? `${guard.status}: ${guard.problem.code}` : guard.status;
  document.querySelectorAll<HTMLInputElement | HTMLButtonElement>("#form :disabled").forEach((e) => (e.disabled = false));
  find<HTMLFormElement>("#form").addEventListener("submit", (event) => {
    event.preventDefault();
    void say(find<HTMLSelectElement>("#sender").value, find<HTMLInputElement>("#text"));
  });
}

async function say(sender: string, input: HTMLInputElement): Promise<void> {
  const text = input.value;
  input.value = "";
  const assessment = await window.assess({ sender, text, sentAt: Date.now() / 1000 }, "page", null);
  const item = document.createElement("li");
  item.dataset["tier"] = String(assessment.tier);
  item.textContent = `${sender}: ${text} `;
  const note = document.createElement("small");
  note.textContent = `${TIERS[assessment.tier]}, ${assessment.action}, risk ${assessment.risk.toFixed(2)}`;
  item.append(note);
  find("#messages").append(item);
}

start().catch((error: unknown) => {
  find("#status").textContent = `unavailable: ${error instanceof Error ? error.message : "unknown"}`;
});
