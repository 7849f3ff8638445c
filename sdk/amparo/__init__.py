"""Grooming detection on the child's own device. See README.md."""

import os

# ONNX Runtime 1.29 and later sends a device id home by default. We pin 1.28.0, which cannot; should an
# app override the pin, this switch, set before the runtime loads, still stops it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from ._version import __version__  # noqa: E402
from .bundle import DEVELOPMENT_KEY, shipped_bundle  # noqa: E402
from .errors import AmparoError  # noqa: E402
from .evidence import Vault  # noqa: E402
from .guard import Guard, Status  # noqa: E402
from .message import Action, Assessment, Message, Tier  # noqa: E402
from .policy import Policy  # noqa: E402

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
