"""Numbers that graph, runtime and policy share; the graph is exported from these very names."""

from __future__ import annotations

SCHEMA = 1
"""Of the bundle and of the tensors below. A change to any name here is a new schema."""

LANGUAGES = ("other", "en", "es", "pt", "fr", "it", "de", "nl", "el", "bg", "lt", "bn")
"""Index = ``meta[META_LANGUAGE]``. Index 0 runs with reduced confidence."""

MAX_TOKENS = 128
"""Ids a step, bos and eos included; a longer text enters as consecutive steps."""

MAX_STEPS = 1_024
"""Steps a message: about 130,000 ids. A longer text is cut into its first and last halves of these."""

# meta, float32[8]
META_IS_CHILD = 0
META_IS_CONTACT = 1  # neither = unknown, which counts as the contact
META_GAP_S = 2  # since the message before; negative = unknown
META_PROFILE = 3  # 0 child, 1 younger teen, 2 older teen
META_LANGUAGE = 4
META_CONTINUES = 5  # 1 = further step of the same message
META_SIZE = 8

# state, float32[STABLE + hidden]; the stable prefix survives a model update
STATE_SCHEMA = 0
STATE_MESSAGES = 1
STATE_TIER = 2
STATE_CALM_RUN = 3
STATE_RISK = 4
STATE_SEEN = 8  # 15 signs, highest score so far, fading
STATE_RING = 24  # last 10 messages: risk at or above concern
STABLE = 40
RING = 10

SUSTAINED = 3
"""Of the last ten messages so many at or above the concern threshold raise concern."""
URGENT_SUSTAINED = 5
CALM_RUN = 40
"""Messages in a row under the notice threshold after which the tier falls by one."""
FAMILIES_NEEDED = 2
