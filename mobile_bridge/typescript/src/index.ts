export { readBundle, type Bundle, type Parts } from "./bundle.js";
export * from "./contract.js";
export { AmparoError } from "./errors.js";
export { CUES, FAMILIES, type ErrorCode } from "./generated.js";
export { Guard, type GuardOptions } from "./guard.js";
