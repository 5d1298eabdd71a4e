"""Files of tensors: what is written is read again, with the permissions of any new file."""

from __future__ import annotations

import pytest
import torch

from spinn.support.errors import DataError
from spinn.support.tensor_files import read_tensors, save_tensors


def test_tensors_are_written_with_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "any").touch()
    tensors = {"a": torch.eye(3).T[1:], "b": torch.arange(2)}
    save_tensors(tensors, tmp_path / "tensors")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1
    torch.testing.assert_close(read_tensors(tmp_path / "tensors", ""), tensors)


def test_the_cause_is_that_of_the_system(tmp_path):
    with pytest.raises(DataError, match=r"it cannot be read .*directory.*Train again"):
        read_tensors(tmp_path, "Train again")
    with pytest.raises(DataError, match=r"it cannot be read .*too long"):
        read_tensors(tmp_path / ("x" * 300), "Train again")
