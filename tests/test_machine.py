"""Memory and processors within control groups: fake trees of both versions, and this process's own group."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpustools.machine import _quotas, available_memory, default_memory, default_workers

GIB = 1 << 30
STAT = "anon 104857600\nfile 8074035200\ninactive_file 7864320000\nactive_file 209715200\nslab_reclaimable 1048576\n"


def tree(root: Path, files: dict[str, str]) -> str:
    """A folder that stands for '/', with 16 GiB of memory and these files."""
    for name, text in ({"proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {16 << 20} kB\n"} | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


CG = "sys/fs/cgroup"
SLURM = "system.slice/slurmstepd.scope/job_7"
TREES = {
    "no group": ({}, 16 * GIB, "the machine"),
    "no limit": ({"proc/self/cgroup": "0::/\n", f"{CG}/memory.max": "max\n"}, 16 * GIB, "the machine"),
    "a limit at the root, as in a container": (
        {"proc/self/cgroup": "0::/\n", f"{CG}/memory.max": f"{GIB}\n", f"{CG}/memory.current": "1000\n"},
        GIB - 1000,
        "/sys/fs/cgroup",
    ),
    "a limit above the own group, as in a batch job": (
        {
            "proc/self/cgroup": f"0::/{SLURM}/step_0\n",
            f"{CG}/{SLURM}/memory.max": f"{GIB}\n",
            f"{CG}/{SLURM}/memory.current": "5000\n",
            f"{CG}/{SLURM}/step_0/memory.max": "max\n",
        },
        GIB - 5000,
        f"/sys/fs/cgroup/{SLURM}",
    ),
    "the tightest of two": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            f"{CG}/a/memory.max": f"{GIB}\n",
            f"{CG}/a/b/memory.max": f"{2 * GIB}\n",
        },
        GIB,
        "/sys/fs/cgroup/a",
    ),
    "page cache is free": (
        {
            "proc/self/cgroup": "0::/\n",
            f"{CG}/memory.max": f"{8 * GIB}\n",
            f"{CG}/memory.current": "8283750400\n",
            f"{CG}/memory.stat": STAT,
        },
        8 * GIB - (8283750400 - 7864320000 - 209715200 - 1048576),
        "/sys/fs/cgroup",
    ),
    "version 1, nested": (
        {
            "proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/slurm/job_3\n0::/\n",
            f"{CG}/memory/slurm/job_3/memory.limit_in_bytes": f"{GIB}\n",
            f"{CG}/memory/slurm/job_3/memory.usage_in_bytes": "700\n",
            f"{CG}/memory/slurm/job_3/memory.stat": "total_inactive_file 500\ntotal_active_file 100\ninactive_file 1\n",
            f"{CG}/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
        GIB - 100,
        "/sys/fs/cgroup/memory/slurm/job_3",
    ),
    "version 1 without a limit": (
        {"proc/self/cgroup": "4:memory:/\n", f"{CG}/memory/memory.limit_in_bytes": "9223372036854771712\n"},
        16 * GIB,
        "the machine",
    ),
    "a container that sees only its own part of the tree": (
        {
            "proc/self/cgroup": "4:memory:/docker/abc/inner\n",
            f"{CG}/memory/inner/memory.limit_in_bytes": f"{2 * GIB}\n",
            f"{CG}/memory/memory.limit_in_bytes": f"{GIB}\n",
        },
        GIB,
        "/sys/fs/cgroup/memory",
    ),
    "a path outside of the own namespace": (
        {"proc/self/cgroup": "0::/../../x\n", f"{CG}/memory.max": f"{GIB}\n"},
        GIB,
        "/sys/fs/cgroup",
    ),
    "version 2 beside version 1": (
        {"proc/self/cgroup": "4:freezer:/\n0::/u\n", f"{CG}/unified/u/memory.max": f"{GIB}\n"},
        GIB,
        "/sys/fs/cgroup/unified/u",
    ),
    "more in use than allowed": (
        {"proc/self/cgroup": "0::/\n", f"{CG}/memory.max": "1000\n", f"{CG}/memory.current": "2000\n"},
        0,
        "/sys/fs/cgroup",
    ),
    "nonsense in the files": (
        {"proc/self/cgroup": "?\n0:\n:::\n0::/\n", f"{CG}/memory.max": "many\n", f"{CG}/memory.stat": "x\ny z\n"},
        16 * GIB,
        "the machine",
    ),
}


@pytest.mark.parametrize("case", TREES)
def test_the_tightest_limit_on_the_way_up_holds(case: str, tmp_path: Path):
    """Limits of nested groups hold, page cache counts as free, and what sets the bound is named."""
    files, size, bound = TREES[case]
    found = available_memory(tree(tmp_path, files))
    assert (found.size, found.bound) == (size, bound)


@pytest.mark.parametrize(
    ("files", "counts"),
    [
        ({"proc/self/cgroup": "0::/a\n", f"{CG}/a/cpu.max": "150000 100000\n", f"{CG}/cpu.max": "max 100000\n"}, [2]),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/j\n",
                f"{CG}/cpu/j/cpu.cfs_quota_us": "400000\n",
                f"{CG}/cpu/j/cpu.cfs_period_us": "100000\n",
            },
            [4],
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/j\n",
                f"{CG}/cpu/j/cpu.cfs_quota_us": "-1\n",
                f"{CG}/cpu/j/cpu.cfs_period_us": "9\n",
            },
            [],
        ),
        ({"proc/self/cgroup": "0::/\n", f"{CG}/cpu.max": "1 0\n"}, []),
    ],
)
def test_a_quota_of_processor_time_counts_as_processors(files: dict[str, str], counts: list[int], tmp_path: Path):
    """A container that may use 1.5 processors gets two threads by default, not one for each of the machine's."""
    assert _quotas(tree(tmp_path, files)) == counts


def test_the_defaults_are_sane_here():
    """On the machine that runs the tests the defaults are a positive share of what it has."""
    assert 64 << 20 <= default_memory() <= max(available_memory().size, 64 << 20)
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


def test_a_real_group_with_a_limit_bounds_the_default(tmp_path: Path):
    """In a control group of this machine with 512 MiB, the default memory is below that."""
    for top, limit in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
        group = Path(top, f"corpus-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            # In a folder that is no control group no files appear by themselves.
            if not (group / limit).exists():
                continue
            (group / limit).write_text(str(512 << 20))
            script = (
                f"import os\nopen({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
                "from corpustools.machine import available_memory, default_memory\n"
                "print(default_memory(), available_memory().bound)\n"
            )
            run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
            size, bound = run.stdout.split()
            assert int(size) <= 256 << 20
            assert bound == str(group)
            return
        finally:
            group.rmdir()
    pytest.skip("no control group with a memory limit can be made here")
