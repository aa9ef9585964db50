"""The job file: a TOML table of option values per command, below flags and environment."""

from __future__ import annotations

from typing import Any

import click

# A job file is some lines long; a device would be read without end.
_LARGEST_JOB = 1 << 20


def _load_job(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    if path is None:
        return
    import tomllib

    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_JOB + 1)
        if len(data) > _LARGEST_JOB:
            raise click.UsageError(f"job file {path}: is larger than {_LARGEST_JOB} bytes; give a TOML file")
        job = tomllib.loads(data.decode())
    except OSError as error:
        raise click.UsageError(f"job file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"job file {path}: {error}") from error
    except RecursionError as error:
        raise click.UsageError(f"job file {path}: is nested too deeply; give one table a command") from error
    ctx.default_map = _checked(ctx, path, job)


def _checked(ctx: click.Context, path: str, job: dict[str, Any]) -> dict[str, Any]:
    """Return the job as click's default map: option names as parameters, unknown ones refused."""
    group = ctx.command
    assert isinstance(group, click.Group)
    names = group.list_commands(ctx)
    checked: dict[str, dict[str, Any]] = {}
    for table, values in job.items():
        if table not in names or not isinstance(values, dict):
            raise click.UsageError(f"job file {path}: no command '{table}'; tables are: {', '.join(names)}")
        command = group.get_command(ctx, table)
        assert command is not None
        # Both the long flag's name and click's parameter name; arguments (the inputs) go by their own.
        known = {p.name: p.name for p in command.params}
        for p in command.params:
            known.update({flag.lstrip("-"): p.name for flag in p.opts if flag.startswith("--")})
        checked[table] = {}
        for key, value in values.items():
            if key not in known:
                raise click.UsageError(f"job file {path}: [{table}] has no option '{key}'; see 'corpus {table} --help'")
            name = known[key]
            assert name is not None
            parameter = next(p for p in command.params if p.name == name)
            if not _fits(parameter, value):
                raise click.UsageError(f"job file {path}: [{table}] {key} = {value!r:.60}; {_accepted(parameter)}")
            checked[table][name] = value
    return checked


def _fits(parameter: click.Parameter, value: Any) -> bool:
    """Say whether a TOML value is of a kind that the option takes; its own type then looks at what it says."""
    if parameter.nargs == -1 or parameter.multiple:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if getattr(parameter, "is_flag", False):
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if isinstance(parameter.type, click.types.FloatParamType):
        return isinstance(value, (int, float, str))
    if isinstance(value, int):
        return not isinstance(parameter.type, (click.types.StringParamType, click.Choice)) or parameter.name == "seed"
    return isinstance(value, str)


def _accepted(parameter: click.Parameter) -> str:
    if parameter.nargs == -1 or parameter.multiple:
        return "accepted is a list of texts"
    if getattr(parameter, "is_flag", False):
        return "accepted are true and false"
    return "accepted is a text" + ("" if isinstance(parameter.type, click.types.StringParamType) else " or a number")


job_option = click.option(
    "--job",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_load_job,
    help="Read option values from a TOML file with a table for each command. Flags and CORPUS_… variables win.",
)
