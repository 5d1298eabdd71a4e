"""The bundled sample corpus: its lexicon, its grammar, its semantics, and the pairs."""
