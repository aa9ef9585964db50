"""The job file: a TOML table of option values per command, below flags and environment."""

from __future__ import annotations

from typing import Any

import click


def _load_job(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    if path is None:
        return
    import tomllib

    try:
        with open(path, "rb") as file:
            job = tomllib.load(file)
    except OSError as error:
        raise click.UsageError(f"job file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"job file {path}: {error}") from error
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
            checked[table][name] = value
    return checked


job_option = click.option(
    "--job",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_load_job,
    help="Read option values from a TOML file, one table a command; flags and CORPUS_… variables win.",
)
