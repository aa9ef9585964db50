"""What the machine and its control group have: memory, processors, and what the process holds already."""

from __future__ import annotations

import os

_FALLBACK = 1 << 30


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def default_memory() -> int:
    """Return a safe share of the memory: half of what the machine, or the control group if less, has to give."""
    return max(_available() // 2, 64 << 20)


def default_workers() -> int:
    """Return how many processors this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _available() -> int:
    left = [_machine()]
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        most = _number(limit)
        if most is not None:
            left.append(most - (_number(used) or 0))
    return max(min(left), 0)


def _machine() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return _FALLBACK
    return _FALLBACK


def _number(path: str) -> int | None:
    """Return the number in a control file; None where there is none or it says 'max'."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
