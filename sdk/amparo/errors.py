"""Every error the SDK raises on purpose: one root, a stable code, a sentence of advice.

No error, message or advice ever holds message text, a person's name or key material: errors end in
crash reports.
"""

from __future__ import annotations

from typing import ClassVar


class AmparoError(Exception):
    """Root of all errors. ``code`` is stable and shared with the ports; ``advice`` is for a person."""

    code: ClassVar[str] = "amparo"
    advice: str = "Report this with the code and the version; never send a conversation along."

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        if advice is not None:
            self.advice = advice

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.code}]"


class ConfigError(AmparoError):
    """A setting is unknown, out of range or contradicts another."""

    code = "config"
    advice = "Correct the setting that the message names."


class InputError(AmparoError):
    """A value handed in has the wrong type or range."""

    code = "input"
    advice = "Correct the value that the message names and call again."


class ImportFormatError(AmparoError):
    """A chat export or batch file cannot be read."""

    code = "import-format"
    advice = "Export the chat again as WhatsApp text/zip or Telegram JSON, without editing it."


class BundleError(AmparoError):
    """The bundle cannot be used."""

    code = "bundle"
    advice = "Install the bundle again from its signed source."


class BundleFormatError(BundleError):
    """A part of the bundle is missing, damaged, too large or not of the known schema."""

    code = "bundle-format"


class BundleSignatureError(BundleError):
    """The manifest is not signed by a trusted key, or a file does not match the manifest."""

    code = "bundle-signature"
    advice = "Give Guard.open the key that signed this bundle, or install a bundle signed by yours."


class BundleVersionError(BundleError):
    """The bundle needs a newer SDK, or is older than the one installed."""

    code = "bundle-version"
    advice = "Update the SDK, or ask for a rollback explicitly."


class BundleCanaryError(BundleError):
    """The model does not answer on this processor as it did where it was made."""

    code = "bundle-canary"
    advice = "Do not use this bundle on this device; report the processor and the bundle's version."


class UnavailableError(AmparoError):
    """The guard has no working bundle; nothing was assessed."""

    code = "unavailable"
    advice = "Show that protection is off and install a working bundle; do not treat the message as calm."


class StateError(AmparoError):
    """Stored conversation state cannot be read."""

    code = "state"
    advice = "Reset this conversation; its signs are counted anew from the next message."


class SealError(AmparoError):
    """A sealed object cannot be opened: wrong key, or changed on the way."""

    code = "seal"
    advice = "Use the private key that belongs to the recipient, on an unchanged file."


class KeyFileError(AmparoError):
    """A key file cannot be read or its passphrase is wrong."""

    code = "key-file"
    advice = "Check the path and the passphrase; a lost private key cannot be recovered."


class EvidenceError(AmparoError):
    """Evidence cannot be recorded, released or read."""

    code = "evidence"
    advice = "Keep the file as it is and run `amparo evidence verify` on a copy."


class EvidenceFormatError(EvidenceError):
    """Bytes that claim to be evidence do not follow the format."""

    code = "evidence-format"


class ConsentError(EvidenceError):
    """The approvals do not satisfy the policy, or do not cover what is asked."""

    code = "consent"
    advice = "Collect the approvals that the policy names over one and the same grant."


class StorageError(EvidenceError):
    """The vault's file cannot be written or is damaged."""

    code = "storage"
    advice = "Free disk space or restore the device key; nothing that was acknowledged is lost."


class SignatureError(EvidenceError):
    """A signature over evidence does not hold. ``finding`` is the verifier's code for the reason."""

    code = "evidence-signature"
    advice = "Do not rely on this object; ask its author for an unchanged copy."

    def __init__(self, message: str, *, finding: str = "BAD_SIG", advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.finding = finding
