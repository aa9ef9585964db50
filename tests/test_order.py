"""The keyed order: published vectors, numpy as independent oracle, kernel and twin equal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpustools.kernels.order import plain as order_plain

try:
    from corpustools.kernels.order import compiled as order_compiled
except ImportError:
    order_compiled = None

BACKENDS = [pytest.param(order_plain, id="plain")] + (
    [pytest.param(order_compiled, id="compiled")] if order_compiled else []
)
U64 = st.integers(0, 2**64 - 1)


def words(backend, first, count, k0, k1):
    out = np.zeros((count, 4), np.uint64)
    backend.words(first, count, k0, k1, out)
    return out


@pytest.mark.parametrize("backend", BACKENDS)
@given(first=st.integers(1, 2**62), k0=U64, k1=U64)
def test_numpy_is_the_oracle(backend, first, k0, k1):
    """numpy raises the counter before it draws, so its block i stands at counter i - 1."""
    philox = np.random.Philox(key=k0 | k1 << 64, counter=first - 1)
    assert words(backend, first, 5, k0, k1).ravel().tolist() == philox.random_raw(20).tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_published_vector(backend):
    """The known answer of Random123's kat_vectors for philox4x64-10 with counter and key zero."""
    assert [hex(w) for w in words(backend, 0, 1, 0, 0)[0]] == [
        "0x16554d9eca36314c",
        "0xdb20fe9d672d0fdc",
        "0xd7e772cee186176b",
        "0x7e68b68aec7ba23b",
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_short_buffer_is_refused(backend):
    """The kernel never writes beyond the buffer that it was given."""
    with pytest.raises(ValueError, match=r"buffer (has|of) 8"):
        backend.words(0, 1, 0, 0, bytearray(8))
