"""What comes in: samples, files, what webhooks post."""

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import Parameter

from medallion.commands.app import FEED, Files, Json, Overrides, Pipeline, command, sorted_out
from medallion.conf import find_project, load, pipelines
from medallion.output import tell


@dataclass(frozen=True)
class Size:
    """What to make: a day of the sample, and how large a one."""

    day: Annotated[int, Parameter(help="Day of the sample; 0, if left out: its whole history.")] = 0
    orders: Annotated[int | None, Parameter(help="How many orders day 0 has.")] = None
    seed: Annotated[int | None, Parameter(help="Another seed makes other data.")] = None
    payloads_per_file: Annotated[int | None, Parameter(help="More than one: files of JSON lines.")] = None


@command(FEED, 1, "sample PIPELINE [--day N] [--orders N] [--seed N] [--payloads-per-file N]")
def sample(
    pipeline: Pipeline,
    /,
    *overrides: Overrides,
    size: Annotated[Size, Parameter(name="*")] = Size(),
    json: Json = False,
) -> int:
    """Deliver a day of the pipeline's sample data to landing."""
    from medallion import feed

    options = {name: value for name, value in asdict(size).items() if name != "day" and value is not None}
    found = feed.sample(load(pipeline, overrides), size.day, options)
    tell(found.facts(), found.render, json=json)
    return 0


@command(FEED, 2, "land PIPELINE SOURCE FILE ...")
def land(
    pipeline: Pipeline,
    source: Annotated[str, Parameter(help="The source that delivers, as conf names it.")],
    /,
    *files: Files,
    json: Json = False,
) -> int:
    """Deliver files of your own to landing, as one delivery."""
    from medallion import feed

    paths, overrides = sorted_out(files)
    found = feed.land(load(pipeline, overrides), source, paths)
    tell(found.facts(), found.render, json=json)
    return 0


@command(FEED, 3, "serve [--pipeline NAME]")
def serve(
    *overrides: Overrides,
    pipeline: Annotated[str | None, Parameter(help="Only the sources of this pipeline.")] = None,
    json: Json = False,
) -> int:
    """Take in what webhooks post, until SIGTERM or ^C."""
    from medallion.receiver import server as receiver_server

    sorted_out(overrides, most=0)
    project = find_project()
    names = pipelines(project) if pipeline is None else [pipeline]
    return receiver_server.serve([load(name, overrides, project) for name in names], json=json)
