"""Grooming detection on the child's own device. See README.md."""

import os

# ONNX Runtime 1.29 and later sends a device id home by default. We pin 1.28.0, which cannot; should an
# app override the pin, this switch, set before the runtime loads, still stops it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from ._version import __version__
from .bundle import DEVELOPMENT_KEY, shipped_bundle
from .errors import AmparoError
from .evidence import Vault
from .guard import Guard, Status
from .message import Action, Assessment, Message, Tier
from .policy import Policy

__all__ = [
    "DEVELOPMENT_KEY",
    "Action",
    "AmparoError",
    "Assessment",
    "Guard",
    "Message",
    "Policy",
    "Status",
    "Tier",
    "Vault",
    "__version__",
    "shipped_bundle",
]
