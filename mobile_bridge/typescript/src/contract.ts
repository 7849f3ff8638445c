/** The contract: everything an app sees. Ports in other languages follow these names and meanings. */

import type { ErrorCode } from "./generated.js";

export type Tier = 0 | 1 | 2 | 3;
export type Action = "allow" | "warn" | "hold" | "offer_block";
export type Status = "ready" | "stale" | "unavailable" | "off";

export interface Message {
  /** "child", "contact", another stable name, or null when unknown (treated as the contact). */
  readonly sender: string | null;
  /** As received; lone surrogates included. */
  readonly text: string;
  /** Seconds since the epoch, or null when unknown. */
  readonly sentAt?: number | null;
}

export interface Assessment {
  /** Of the conversation so far, 0 to 1, calibrated at equal classes. */
  readonly risk: number;
  /** 0 calm, 1 notice, 2 concern, 3 urgent: as the graph's latch has it. */
  readonly tier: Tier;
  /** Scores of this message by sign, 0 to 1. */
  readonly cues: Readonly<Record<string, number>>;
  /** What the app should do with this message. */
  readonly action: Action;
  /** Families of signs seen so far, in the order guardians read them. */
  readonly families: readonly string[];
  /** This message raised the tier: the moment for a notice. */
  readonly rose: boolean;
  readonly reducedConfidence: boolean;
  readonly modelVersion: string;
}

export interface Policy {
  /** Strictness in the graph: 0 child, 1 younger teen, 2 older teen. */
  readonly profile: 0 | 1 | 2;
  /** False from 18 on. */
  readonly active: boolean;
}

/** One step of the graph. Shapes: tokens int32 (n,), meta float32 (8,), state float32 (stateSize,). */
export interface Step {
  readonly cues: Float32Array;
  readonly risk: number;
  readonly tier: number;
  readonly state: Float32Array;
}

export interface Session {
  step(tokens: Int32Array, meta: Float32Array, state: Float32Array): Promise<Step>;
  release(): Promise<void>;
}

/** Whatever can run the graph: onnxruntime-web here, another runtime elsewhere, a fake in an app's tests. */
export interface Backend {
  /** Throws when the graph cannot be loaded or its inputs have other shapes. */
  load(graph: Uint8Array, stateSize: number): Promise<Session>;
}

/** Keeps states of conversations, encrypted at rest by the app: sender names and numbers, never text. */
export interface StateStore {
  load(id: string): Promise<Uint8Array | null>;
  save(id: string, state: Uint8Array): Promise<void>;
  delete(id: string): Promise<void>;
}

export interface GuardedConversation {
  /** Messages in the order of the conversation; a rejected promise has changed nothing. */
  assess(message: Message): Promise<Assessment>;
  /** Forget the state. */
  reset(): Promise<void>;
}

export interface GuardLike {
  readonly status: Status;
  readonly problem: { readonly code: ErrorCode; readonly advice: string } | null;
  conversation(id: string, options?: { readonly language?: string }): GuardedConversation;
  close(): Promise<void>;
}

export function policyForAge(age: number): Policy {
  if (!Number.isInteger(age) || age < 0 || age > 120) throw new RangeError("age is a whole number of years");
  return { profile: age <= 10 ? 0 : age <= 13 ? 1 : 2, active: age < 18 };
}
