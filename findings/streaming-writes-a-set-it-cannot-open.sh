#!/bin/sh
# mosaicml-streaming 0.13.0 and a data set without samples.
#
# Good guess: what MDSWriter writes, StreamingDataset opens; a set without samples has the length 0.
# Seen:       MDSWriter writes an index without shards. StreamingDataset gives the numbers of samples of its shards to a
#             Spanner, which adds to the last of them, and there is none: IndexError. With one shard of 0 samples it works.
#
# Only the writer and the Spanner run here, with stand-ins for PyTorch and the clouds, which neither of them calls.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps mosaicml-streaming==0.13.0
"$folder/venv/bin/pip" install -q --disable-pip-version-check "numpy<2.2" pillow typing_extensions requests tqdm filelock
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.abc
import importlib.machinery
import json
import sys
import types
from importlib.metadata import distribution
from unittest.mock import MagicMock

import numpy as np


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    names = {"torch", "transformers", "brotli", "snappy", "zstd", "xxhash", "boto3", "botocore", "google", "azure", "oci"}

    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return MagicMock(__path__=[], __name__=spec.name, __spec__=spec)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, StandIn())
for name in ("streaming", "streaming.base"):
    # Without their own imports, which ask for all of PyTorch.
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(distribution("mosaicml-streaming").locate_file(name.replace(".", "/")))]

from streaming.base.format.mds.writer import MDSWriter
from streaming.base.spanner import Spanner

MDSWriter(out="set", columns={"tokens": "ndarray:uint16"}).finish()
shards = json.load(open("set/index.json"))["shards"]


def opened(samples):
    try:
        return len(Spanner(np.array(samples, np.int64)).spans)
    except IndexError as error:
        return repr(error)


none, one = opened([shard["samples"] for shard in shards]), opened([0])
print(f"its own index lists {len(shards)} shards, and its reader says {none}; one shard of 0 samples: {one} spans")
sys.exit(not (shards == [] and "IndexError" in str(none) and one == 0))
PYTHON
