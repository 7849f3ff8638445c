"""Can the label be told from surface counts alone? It should not be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .format import Conversation


def surface_counts(conversation: Conversation) -> list[float]:
    """Lengths, counts of messages, punctuation, digits, emoji and capitals; nothing of the words."""
    turns = conversation.turns
    contact = [t.text for t in turns if t.who != "child"]
    child = [t.text for t in turns if t.who == "child"]
    row = [float(len(turns)), len(contact) / len(turns)]
    for side in (contact, child):
        text = " ".join(side)
        size = max(len(text), 1)
        row += [len(text), len(text) / max(len(side), 1), float(np.std([len(t) for t in side] or [0]))]
        row += [sum(f(c) for c in text) / size for f in (str.isdigit, str.isupper)]
        row += [text.count(c) / size for c in ".,?!"] + [sum(ord(c) > 0x2190 for c in text) / size]
    return row


def shortcut_auc(conversations: Sequence[Conversation], seed: int = 0) -> float:
    """Cross-validated AUC of the better of two classifiers that see only :func:`surface_counts`."""
    x = np.array([surface_counts(c) for c in conversations])
    y = np.array([c.grooming for c in conversations])
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    models = (
        make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000)),
        GradientBoostingClassifier(n_estimators=60, max_depth=2, random_state=seed),
    )
    scores = [cross_val_predict(m, x, y, cv=folds, method="predict_proba")[:, 1] for m in models]
    return float(max(roc_auc_score(y, s) for s in scores))
