"""What this process may use of the machine: memory and processors, within the control groups that it runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_FALLBACK = 1 << 30
_LEAST = 64 << 20
# A limit this large is how control groups (version 1) write "none".
_NO_LIMIT = 1 << 60


class Available(NamedTuple):
    """Memory that can still be taken, in bytes, and what sets the bound: 'the machine' or a control group's folder."""

    size: int
    bound: str


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def default_memory() -> int:
    """Return a safe share of the memory, in bytes: half of what is available, at least 64 MiB."""
    return max(available_memory().size // 2, _LEAST)


def default_workers() -> int:
    """Return how many processors this process may keep busy: its affinity, or its control groups' quota if less."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    return max(1, min([count, *_quotas("/")]))


def processor_time() -> tuple[float, float]:
    """Return the seconds that this process's threads ran, and that they waited for a processor, as far as it is known.

    Threads that have ended do not count; without figures of the system nobody has waited.
    """
    ran = waited = 0
    try:
        for thread in os.listdir("/proc/self/task"):
            fields = _schedule(f"/proc/self/task/{thread}/schedstat")
            ran, waited = ran + fields[0], waited + fields[1]
    except OSError:
        return ran / 1e9, 0.0
    return ran / 1e9, waited / 1e9


def thread_waited() -> float:
    """Return the seconds that this thread waited for a processor, 0 where the system does not say."""
    try:
        return _schedule("/proc/thread-self/schedstat")[1] / 1e9
    except OSError:
        return 0.0


def _schedule(path: str) -> tuple[int, int]:
    """Return how many nanoseconds a thread ran, and waited."""
    with open(path, "rb", buffering=0) as file:
        fields = file.read().split()
    return int(fields[0]), int(fields[1])


def available_memory(root: str = "/") -> Available:
    """Return the memory that can still be taken, on the machine and in every control group around this process.

    Page cache and reclaimable slabs of a group count as free: the system gives them up before it refuses memory.

    Args:
        root: the folder that stands for '/'; tests give a tree of their own.
    """
    found = [Available(_machine(root), "the machine")]
    for folder in _groups(root, "memory", ("sys/fs/cgroup/memory",)):
        found += _in_group(root, folder)
    return min(found, key=lambda one: one.size)


def _in_group(root: str, folder: str) -> list[Available]:
    """Return what a control group has left: one entry, or none where it sets no limit."""
    for limit_name, used_name, cache_names in (
        ("memory.max", "memory.current", ("inactive_file", "active_file", "slab_reclaimable")),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
    ):
        limit = _number(os.path.join(folder, limit_name))
        if limit is None or limit >= _NO_LIMIT:
            continue
        used = _number(os.path.join(folder, used_name)) or 0
        cache = _fields(os.path.join(folder, "memory.stat"))
        used -= sum(cache.get(name, 0) for name in cache_names)
        return [Available(max(0, limit - max(0, used)), "/" + os.path.relpath(folder, root))]
    return []


def _quotas(root: str) -> list[int]:
    """Return the processors, rounded up, that each control group around this process may keep busy."""
    counts = []
    for folder in _groups(root, "cpu", ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct")):
        words = _text(os.path.join(folder, "cpu.max")).split()
        if not words:
            words = [_text(os.path.join(folder, f"cpu.cfs_{name}_us")).strip() for name in ("quota", "period")]
        # 'max' and -1 mean no quota.
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
            counts.append(-(-int(words[0]) // int(words[1])))
    return counts


def _groups(root: str, controller: str, mounts: tuple[str, ...]) -> Iterator[str]:
    """Give the folders of the control groups that this process is in, from its own outwards (cgroups(7)).

    Version 2 has one tree, under /sys/fs/cgroup or, beside version 1, under /sys/fs/cgroup/unified; version 1 has one
    for each controller. A limit anywhere on the way up holds.
    """
    for line in _text(os.path.join(root, "proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            tops: tuple[str, ...] = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
        elif controller in names.split(","):
            tops = mounts
        else:
            continue
        for top in tops:
            yield from _upwards(os.path.join(root, top), path)


def _upwards(top: str, path: str) -> Iterator[str]:
    """Give the folder of a group under a mount point, and those around it up to the mount point."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    # A container may see only its own part of the tree, under the path that the whole tree has for it.
    while parts and not os.path.isdir(os.path.join(top, *parts)):
        parts = parts[1:]
    while True:
        yield os.path.join(top, *parts)
        if not parts:
            return
        parts = parts[:-1]


def _machine(root: str) -> int:
    for line in _text(os.path.join(root, "proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return _FALLBACK


def _fields(path: str) -> dict[str, int]:
    """Return the `name number` lines of a control file."""
    pairs = [line.split() for line in _text(path).splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _number(path: str) -> int | None:
    """Return the number in a control file; None where there is none or it says 'max'."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: str) -> str:
    """Return what a control file holds; nothing where it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
