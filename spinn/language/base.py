"""What the configurations of all language models have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from spinn.config_files import in_file, read_values
from spinn.learning.optimizers import OptimizerOptions
from spinn.learning.options import PLACE, LoopOptions
from spinn.learning.schedules import Schedule
from spinn.support.errors import SpinnError
from spinn.support.options import Groups, check_ranges

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class TokenConfiguration:
    """The options that every language model has; subclasses add groups.

    Attributes
    ----------
    data
        What is read; its ``moved`` returns the options of the same data in other files.
    groups
        The groups of a subclass, in the order of its fields.
    mark
        The group that no other kind of model has.

    Raises
    ------
    ConfigurationError
        If a value is out of range.

    """

    data: Any
    optimizer: OptimizerOptions
    schedule: Schedule
    training: LoopOptions

    groups: ClassVar[Groups]
    mark: ClassVar[str]

    def __post_init__(self) -> None:
        for name in self.groups:
            check_ranges(getattr(self, name))

    @classmethod
    def resolve(cls, base: Mapping[str, Any], *layers: Mapping[str, Any]) -> Self:
        """Return the configuration of flat options, later layers taking precedence.

        Parameters
        ----------
        base
            Options of a preset, or of the run to go on from; empty if there is neither. Those
            without effect beside the layers are left out.
        layers
            Options that were given, in files and by flags.

        Raises
        ------
        ConfigurationError
            If an option is unknown, has a value of the wrong type or out of range, or, in a layer,
            would have no effect.

        """
        values = cls.groups.layered(base, *layers)
        configuration = cls._of(values)
        cls.groups.refuse_idle(values, {name for layer in layers for name in layer})
        return configuration

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a ``config.json``.

        Raises
        ------
        SpinnError
            If the file cannot be read, or is that of another kind of model.

        """
        values = read_values(path)
        if cls.mark not in values:
            raise SpinnError(
                f"{path.parent}: this is no language model of this kind. Give a folder that "
                "`spinn lm train` wrote."
            )
        with in_file(path):
            given = cls.groups.checked(cls.groups.flatten(values))
            return cls._of(cls.groups.defaults() | given)

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{name: group.make(values) for name, group in cls.groups.items()})

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the groups as dictionaries, by name."""
        return {name: dataclasses.asdict(getattr(self, name)) for name in self.groups}

    def values(self) -> dict[str, Any]:
        """Return all options by name."""
        return self.groups.defaults() | self.groups.flatten(self.as_dict())

    def moved(self, place: Mapping[str, Any]) -> Self:
        """Return the same run, computed or read elsewhere: other ``PLACE`` and files."""
        computed = {name: value for name, value in place.items() if name in PLACE}
        return dataclasses.replace(
            self,
            data=self.data.moved(place),
            training=dataclasses.replace(self.training, **computed),
        )
