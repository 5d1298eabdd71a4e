"""Transfer from a language model (``--pretrained``): what is taken, and how it is trained.

A run begins with the word vectors and the first LSTM layer of a language model, or of two for both
directions. They can be frozen, have their own learning rate, or be unfrozen one after the other,
the LSTM first, as in ULMFiT (Howard and Ruder 2018, arXiv 1801.06146).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from spinn.model.build import ModelOptions
from spinn.model.pair import PairModel
from spinn.model.parser import Parser
from spinn.model.sequence import SequenceLSTM
from spinn.support.errors import ConfigurationError
from spinn.support.options import Condition, Group, option

_NOT_FROZEN = Condition(
    lambda values: not values["pretrained_freeze"], "--pretrained-freeze keeps these weights"
)
_BOTH = Condition(
    lambda values: values["leaf_context"] == "bilstm" and values["pretrained_parts"] == "all",
    "it belongs to --leaf-context bilstm with --pretrained-parts all",
)
LEAVES, ENCODER = "LSTM below the leaves", "LSTM encoder"


@dataclass(frozen=True)
class TransferOptions:
    """Weights of a language model to begin with (``--pretrained``)."""

    pretrained: str | None = option(
        None, "folder of a language model of words, written by spinn lm train"
    )
    pretrained_backward: str | None = option(
        None,
        "folder of a second one, trained with --direction backward and --embeddings-of the first, "
        "for --leaf-context bilstm",
        when=_BOTH,
    )
    pretrained_parts: str = option(
        "all",
        "what is taken: its embeddings, or all, also its first layer for the LSTM below the leaves "
        "or for the LSTM encoder",
        choices=("embeddings", "all"),
    )
    pretrained_freeze: bool = option(False, "do not train the weights that are taken")
    pretrained_rate: float = option(
        1.0,
        "factor of the learning rate for the weights that are taken",
        minimum=0,
        when=_NOT_FROZEN,
    )
    pretrained_unfreeze: int = option(
        0,
        "epochs for which the LSTM is frozen; the embeddings are frozen for as many more",
        minimum=0,
        when=_NOT_FROZEN,
    )

    def receiver(self, model: ModelOptions) -> str | None:
        """Return the LSTM that takes the first layer: ``LEAVES`` or ``ENCODER``.

        Parameters
        ----------
        model
            The options of the model.

        Returns
        -------
        ``None`` if only embeddings are taken.

        Raises
        ------
        ConfigurationError
            If the layer is to be taken and the model has no place for it.

        """
        if self.pretrained_parts == "embeddings":
            return None
        remedy = "or --pretrained-parts embeddings."
        context, encoder = model.leaf_context, model.encoder
        if context == "bilstm" and self.pretrained_backward is None:
            raise ConfigurationError(
                "--leaf-context bilstm takes layers of two language models; give the other with "
                f"--pretrained-backward, {remedy}"
            )
        if context in ("lstm", "bilstm"):
            return LEAVES
        if context == "none" and encoder == "lstm":
            if model.leaf_norm != "none":
                raise ConfigurationError(
                    "The LSTM encoder can take the layer of --pretrained only if it reads the word "
                    f"vectors as they are; give --leaf-norm none, {remedy}"
                )
            return ENCODER
        raise ConfigurationError(
            "There is no LSTM here that can take the layer of --pretrained; give --leaf-context "
            f"lstm, --encoder lstm without a leaf context, {remedy}"
        )

    def check(self, model: ModelOptions, epochs: int) -> None:
        """Raise :class:`ConfigurationError` if a model has no place for what is taken.

        Parameters
        ----------
        model
            The options of the model.
        epochs
            Of the training, within which all weights must be unfrozen.

        """
        count = 1 if self.receiver(model) is None else 2
        frozen = count * self.pretrained_unfreeze
        if frozen >= epochs:
            raise ConfigurationError(
                f"The embeddings of --pretrained would never be trained: they are frozen for "
                f"{frozen} epochs of {epochs}. Give more --epochs, or --pretrained-freeze in place "
                "of --pretrained-unfreeze."
            )

    def parts(self, model: PairModel) -> dict[str, list[nn.Parameter]]:
        """Return the weights of a model that are taken, by name, the upper part first.

        Vectors of words that the language model does not know are among the embeddings; so are
        those of a parser apart, which has a copy.
        """
        lstm = {} if self.pretrained_parts == "embeddings" else {"LSTM": _lstm_weights(model)}
        embeddings = [model.leaves.embedding]
        parser = model.encoder.parser
        if isinstance(parser, Parser):
            embeddings.append(parser.leaves.embedding)
        return lstm | {"embeddings": [w for one in embeddings for w in one.parameters()]}

    def frozen(self, model: PairModel, epoch: int) -> list[nn.Parameter]:
        """Return the weights that are not trained in an epoch, counted from 0.

        With ``pretrained_freeze``, known words have fixed vectors, which are no weights; the
        vectors of the other words are trained.
        """
        if self.pretrained_freeze:
            return self.parts(model).get("LSTM", [])
        parts = enumerate(self.parts(model).values(), start=1)
        held = [weights for place, weights in parts if epoch < place * self.pretrained_unfreeze]
        return [weight for weights in held for weight in weights]

    def unfrozen_at(self, model: PairModel, epoch: int) -> list[str]:
        """Return the names of the parts whose training begins with an epoch, counted from 0."""
        epochs = self.pretrained_unfreeze
        names = enumerate(self.parts(model), start=1)
        return [name for place, name in names if epochs and epoch == place * epochs]


TRANSFER_GROUP = Group(
    "transfer",
    TransferOptions,
    Condition(lambda values: values["pretrained"] is not None, "it belongs to --pretrained"),
)


def receiving_lstm(model: PairModel) -> nn.LSTM:
    """Return the LSTM below the leaves, or the one that is the encoder."""
    context, encoder = model.leaves.context, model.encoder
    if isinstance(context, nn.LSTM):
        return context
    assert isinstance(encoder, SequenceLSTM)
    return encoder.lstm


def _lstm_weights(model: PairModel) -> list[nn.Parameter]:
    return list(receiving_lstm(model).parameters())
