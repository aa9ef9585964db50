"""The little of torch that readers of token files compute with, on numpy arrays.

A reader's file layer is numpy; of torch it takes a base class for its data sets and a wrapper around the array that it
hands out. With this module a reader runs in an environment of 50 MB. `bin/readers --torch` runs the same tests with
the real library.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from readers.standins.hollow import fill

DTYPES = {
    "bool": np.bool_, "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64,
    "int8": np.int8, "int16": np.int16, "short": np.int16, "int32": np.int32, "int": np.int32,
    "int64": np.int64, "long": np.int64, "float16": np.float16, "half": np.float16, "float32": np.float32,
    "float": np.float32, "float64": np.float64, "double": np.float64, "complex64": np.complex64,
    "cfloat": np.complex64, "complex128": np.complex128, "cdouble": np.complex128,
}  # fmt: skip


class Tensor(np.ndarray):
    """An array with the methods of a tensor that readers call."""

    # A place on an accelerator; numpy has an attribute of this name from 2.0 on.
    device = "cpu"

    def long(self) -> Tensor:
        return self.astype(np.int64)

    def contiguous(self) -> Tensor:
        return np.ascontiguousarray(self).view(Tensor)

    def clone(self) -> Tensor:
        return self.copy()

    def numel(self) -> int:
        return self.size

    def nonzero(self, as_tuple: bool = False) -> Any:
        places = np.nonzero(self.view(np.ndarray))
        return tuple(tensor(one) for one in places) if as_tuple else tensor(np.transpose(places))

    def to(self, dtype: Any) -> Tensor:
        return self.astype(dtype)

    def numpy(self) -> np.ndarray:
        return self.view(np.ndarray)


class Dataset:
    """What a trainer can take items from."""

    def __class_getitem__(cls, item: object) -> type:
        return cls


class IterableDataset(Dataset):
    """A data set that is iterated over."""


def tensor(values: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the values as a tensor."""
    return np.asarray(values, dtype).view(Tensor)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0) -> Tensor:
    """Return bytes as a tensor of numbers."""
    return np.frombuffer(buffer, dtype, count, offset).view(Tensor)


def _ones(shape: Any, dtype: Any = np.float32, device: Any = None) -> Tensor:
    return np.ones(shape, dtype).view(Tensor)


def _cat(tensors: Any, dim: int = 0) -> Tensor:
    return np.concatenate(tensors, axis=dim).view(Tensor)


def _cumsum(values: Tensor, dim: int) -> Tensor:
    return np.cumsum(values, axis=dim).view(Tensor)


def _arange(*bounds: int, dtype: Any = None, device: Any = None) -> Tensor:
    return np.arange(*bounds, dtype=dtype).view(Tensor)


def _roll(values: Tensor, shifts: int, dims: int) -> Tensor:
    return np.roll(values, shifts, axis=dims).view(Tensor)


def _pad(values: Tensor, pad: tuple[int, int], value: Any = 0) -> Tensor:
    return np.pad(values, pad, constant_values=value).view(Tensor)


def _no() -> bool:
    return False


def install() -> None:
    """Let `import torch` find this module."""
    functions = {
        "tensor": tensor, "as_tensor": tensor, "from_numpy": tensor, "frombuffer": frombuffer, "ones": _ones,
        "ones_like": lambda like, dtype=None: _ones(like.shape, dtype or like.dtype), "cat": _cat, "cumsum": _cumsum,
        "zeros_like": np.zeros_like, "where": np.where, "roll": _roll, "arange": _arange, "tril": np.tril,
    }  # fmt: skip
    dtypes = {name: np.dtype(kind) for name, kind in DTYPES.items()}
    torch = {"__version__": "2.14.1", "Tensor": Tensor, "dtype": np.dtype} | dtypes | functions
    torch["bfloat16"] = np.float16
    distributed = {"is_available": _no, "is_initialized": _no, "get_rank": lambda: 0, "get_world_size": lambda: 1}
    data = {"Dataset": Dataset, "IterableDataset": IterableDataset, "get_worker_info": lambda: None}
    functional = {"pad": _pad}
    cuda = {"is_available": _no, "is_initialized": _no, "device_count": lambda: 0}
    facts = {"": torch, ".cuda": cuda, ".distributed": distributed, ".nn.functional": functional, ".utils.data": data}
    fill("torch", {f"torch{below}": names for below, names in facts.items()})
