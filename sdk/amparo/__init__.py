"""Grooming detection on the child's own device. See README.md."""

import os

# ONNX Runtime 1.29 and later sends a device id home by default. We pin 1.28.0, which cannot; should an
# app override the pin, this switch, set before the runtime loads, still stops it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from ._version import __version__
from .errors import AmparoError
from .message import Action, Assessment, Message, Tier

__all__ = ["Action", "AmparoError", "Assessment", "Message", "Tier", "__version__"]
