"""The benchmark of data loading, in small."""

from __future__ import annotations

import torch

from benchmarks.common import load_sentences
from benchmarks.loading import measure_cache


def test_a_set_is_cached_and_loaded_whatever_other_sets_the_corpus_has() -> None:
    corpus = load_sentences([])
    assert len(corpus.sets) > 1
    seconds = measure_cache(corpus, 64, 32, torch.device("cpu"))
    assert {"write", "load", "build an epoch"} <= seconds.keys()
