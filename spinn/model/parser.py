"""A parser apart from the composer: syntax and semantics are disjoint.

A small SPINN with its own words chooses the transitions, and another encoder composes the sentence
along them. Transitions are integers, so no gradient of the label's loss reaches the parser, and no
gradient of the transitions' loss leaves it (Havrylov, Kruszewski and Joulin 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from spinn.model.leaves import LeafLayer
from spinn.model.spinn import SPINN
from spinn.model.types import Encoder, Encoding, Leaves, Plan
from spinn.support.options import Condition, Group, option
from spinn.trees import WITH_CHOSEN_TREES


class Parser(nn.Module):
    """Choose the transitions of sentences.

    Parameters
    ----------
    leaves
        Without dropout: equal weights must give equal policies.
    encoder
        With a tracker that predicts.

    """

    def __init__(self, leaves: LeafLayer, encoder: SPINN) -> None:
        super().__init__()
        self.leaves = leaves
        self.encoder = encoder

    def forward(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Parse B sentences from their words; the sentence vectors of the result are of no use."""
        own = self.leaves(leaves.sentences).repeat(leaves.copies)
        return self.encoder.encode(own, plan)


class ParsedEncoder(Encoder):
    """Encode sentences along the trees of a parser.

    Parameters
    ----------
    parser
        Chooses the transitions.
    composer
        Encodes along given transitions.

    """

    def __init__(self, parser: Parser, composer: Encoder) -> None:
        super().__init__()
        self.parser = parser
        self.composer = composer
        self.leaf_size, self.output_size = composer.leaf_size, composer.output_size
        self.by_height = composer.by_height

    @property
    def policy(self) -> nn.Module | None:
        """The parser."""
        return self.parser

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Parse, then compose along the trees; given trees by height need no parser."""
        if plan.heights is not None:
            return self.composer.encode(leaves, plan)
        parsed = self.parse(leaves, plan)
        assert parsed.transitions is not None
        composed = self.composer.encode(leaves, Plan.given(parsed.transitions))
        return replace(parsed, sentences=composed.sentences)

    def parse(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Parse alone."""
        assert self.parser is not None
        parsed: Encoding = self.parser(leaves, plan)
        return parsed


@dataclass(frozen=True)
class ParserOptions:
    """The parser with weights of its own (``--parser own``)."""

    parser_size: int = option(64, "width of the parser's phrases", minimum=1)


PARSER_GROUP = Group(
    "parser",
    ParserOptions,
    Condition(
        lambda values: WITH_CHOSEN_TREES.holds(values) and values["parser"] == "own",
        "it belongs to --parser own",
    ),
)
