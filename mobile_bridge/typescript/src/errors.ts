import { ADVICE, type ErrorCode } from "./generated.js";

/** Root of all errors. No message text, name or key is ever in one: errors end in crash reports. */
export class AmparoError extends Error {
  readonly advice: string;
  constructor(readonly code: ErrorCode, message: string) {
    super(`${message} [${code}]`);
    this.name = "AmparoError";
    this.advice = ADVICE[code];
  }
}
