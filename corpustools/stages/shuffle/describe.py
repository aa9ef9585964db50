"""What a shuffle would do, as text: buckets, passes, memory and temporary space."""

from __future__ import annotations

from corpustools.machine import available_memory
from corpustools.stages.shuffle.plan import Plan, plan_shuffle
from corpustools.stages.shuffle.request import ShuffleRequest
from corpustools.stages.shuffle.space import temporary_bytes


def describe_plan(request: ShuffleRequest) -> str:
    """Return the plan of a request, one `name: value` a line, sizes in bytes."""
    if request.tables:
        from corpustools.stages.shuffle.table import describe_tables

        return describe_tables(request)
    plan = plan_shuffle(request)
    temporary = temporary_bytes(request, plan)
    available = available_memory()
    lines = [
        (
            "input",
            "unknown size" if request.expected is None else f"{'' if request.exact else 'about '}{request.expected}",
        ),
        ("memory", str(plan.memory)),
        *((f"  {name}", str(size)) for name, size in plan.table()),
        ("memory available", f"{available.size}, by {available.bound}"),
        ("workers", str(plan.workers)),
        ("buckets", str(plan.buckets)),
        ("passes over the input", _passes(request, plan.pool)),
        ("temporary space", "what does not fit the pool" if temporary is None else f"about {temporary}"),
        ("temporary files", _way(plan)),
        ("temporary data", _form(request)),
        ("temporary directories", ", ".join(request.tmp_dirs)),
        ("seed", request.seed),
    ]
    return "\n".join(f"{name}: {value}" for name, value in lines)


def _way(plan: Plan) -> str:
    return "past the page cache where the file system can" if plan.spares_cache else "through the page cache"


def _form(request: ShuffleRequest) -> str:
    return "raw, lz4 or zstd, whichever ends the run first" if request.spill == "auto" else request.spill


def _passes(request: ShuffleRequest, pool: int) -> str:
    if not request.no_temp or request.expected is None:
        return "1"
    return f"about {-(-request.expected // (pool * 7 // 8))}"
