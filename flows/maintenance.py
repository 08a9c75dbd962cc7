"""Maintenance of a pipeline as a Prefect flow; it takes the pipeline's lock, so that it never overlaps with a run."""

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.logs import tell_in_lines
from flows.pipeline import host_of, tell_completion, tell_failure
from medallion import conf, run
from medallion.errors import ConfError, LakehouseError
from medallion.maintain import work
from medallion.maintain.work import Done

tell_in_lines()


@flow(
    name="maintenance",
    flow_run_name="maintain {pipeline}",
    validate_parameters=False,  # conf checks them, with better words
    on_failure=[tell_failure],
    on_crashed=[tell_failure],
    on_completion=[tell_completion],
)
def maintain(pipeline: str, overrides: list[str] | None = None) -> list[Done]:
    """Write small files as few, remove what nobody needs any more, and return what was done.

    Raises:
        ConfError: Conf that cannot be used; nothing was written.
        LockedError: A run is at work, and conf says not to wait for it.
        LakehouseError: Tables that could not be maintained; the others were.
    """
    loaded = conf.load(pipeline, overrides or [])
    if loaded.platform.runtime.dry_run:
        raise ConfError(f"runtime.dry_run: a flow run writes; `medallion maintain {pipeline}` says what it would do")
    with host_of(loaded) as host:
        done = work.maintain(run.prepare(loaded), host.sessions)
    rows = [
        {
            "table": one.table,
            "done": "; ".join(one.done),
            "files freed": one.files_freed,
            "bytes freed": one.bytes_freed,
        }
        for one in done
    ]
    key = f"{pipeline.replace('_', '-')}-maintenance"
    create_table_artifact(rows or [{"table": "nothing was due"}], key=key, description="What maintenance did")
    failed = [one.error for one in done if one.error]
    if failed:
        raise LakehouseError("; ".join(failed))
    return done
