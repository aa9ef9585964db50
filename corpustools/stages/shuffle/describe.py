"""What a shuffle would do, as text: buckets, passes, memory and temporary space."""

from __future__ import annotations

from corpustools.stages.shuffle import Request


def describe(asked: Request) -> str:
    """Return the plan of a request, one `name: value` a line, sizes in bytes."""
    plan = asked.plan()
    temporary = asked.temporary_bytes(plan)
    lines = [
        ("input", "unknown size" if asked.expected is None else f"{'' if asked.exact else 'about '}{asked.expected}"),
        ("memory", str(plan.memory)),
        *((f"  {name}", str(size)) for name, size in plan.table()),
        ("workers", str(plan.workers)),
        ("buckets", str(plan.buckets)),
        ("passes over the input", _passes(asked, plan.pool)),
        ("temporary space", "what does not fit the pool" if temporary is None else f"about {temporary}"),
        ("temporary directories", ", ".join(asked.tmp_dirs)),
        ("seed", asked.seed),
    ]
    return "\n".join(f"{name}: {value}" for name, value in lines)


def _passes(asked: Request, pool: int) -> str:
    if not asked.no_temp or asked.expected is None:
        return "1"
    return f"about {-(-asked.expected // (pool * 7 // 8))}"
