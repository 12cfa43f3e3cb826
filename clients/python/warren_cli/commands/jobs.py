"""`warren jobs`."""

from pathlib import Path

import click

from warren_cli import console
from warren_cli.arguments import named, output_file
from warren_cli.command import Commands
from warren_cli.job_course import Course
from warren_cli.records import JOB_HEADING, as_json, job_row, show_job
from warren_cli.session import Session
from warren_cli.waiting import TIMEOUT, WAIT, finish

STATES = ("queued", "running", "completed", "error", "cancelled")
LEAST_SECONDS = 1.0  # that the server has to answer whether there is such a job
ID = click.argument("job_id", metavar="ID", type=named)


@click.group(cls=Commands)
def jobs() -> None:
    """List, show, follow, cancel and repeat jobs. The ID may be `latest`, the newest job."""


@jobs.command("ls")
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--kind", type=click.Choice(["train", "predict", "batch"]), help="Only these.")
@click.option("--dataset", metavar="ID", help="Only trainings on this data set.")
@click.option("--estimator", help="Only trainings of this estimator.")
@click.option("--tag", help="Only trainings with this tag.")
@click.option("--metric", metavar="BOUND", help="Only those within a bound, such as r2>=0.4.")
@click.option("--name", help="Only jobs that train or ask models of this name.")
@click.option("--text", help="Only those with this text: in ids, tags, errors, names of models.")
@click.option("--sort", metavar="ORDER", help="Such as -metrics.r2; by default the newest first.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1))
@click.pass_obj
def list_(
    session: Session,
    state: str | None,
    kind: str | None,
    dataset: str | None,
    estimator: str | None,
    tag: str | None,
    metric: str | None,
    name: str | None,
    text: str | None,
    sort: str | None,
    limit: int,
) -> None:
    """List jobs."""
    with session.client() as warren:
        found = warren.jobs.list(
            state=f"TASK_{state.upper()}" if state else None,
            kind=kind,
            dataset_id=dataset,
            estimator=estimator,
            tag=tag,
            metric=metric,
            name=name,
            text=text,
            sort=sort,
            limit=limit,
        )
        records = [each.record for each in found]
    session.give(
        {"jobs": [as_json(each) for each in records]},
        [each.id for each in records],
        lambda: console.print_table(JOB_HEADING, map(job_row, records)),
    )


@jobs.command()
@ID
@click.pass_obj
def show(session: Session, job_id: str) -> None:
    """Show a job: state, progress, metrics, warnings, error."""
    with session.client() as warren:
        record = warren.jobs[job_id].record
    session.give(as_json(record), record.id, lambda: show_job(record))


@jobs.command()
@ID
@TIMEOUT
@click.pass_context
def wait(context: click.Context, job_id: str, timeout: float | None) -> None:
    """Wait for the end of a job, whose outcome is the exit code."""
    session: Session = context.obj
    within = None if timeout is None else max(timeout, LEAST_SECONDS)
    with session.client() as warren:
        end = finish(session, warren.jobs.find(job_id, within), timeout)
    session.give(as_json(end.job), end.job.id, lambda: show_job(end.job))
    context.exit(end.code)


@jobs.command()
@ID
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends.")
@click.pass_obj
def logs(session: Session, job_id: str, follow: bool) -> None:
    """Tell the course of a job: what its consumers logged, and its end.

    Prediction jobs have no log; their course is told all the same.
    """
    with session.client() as warren:
        job = warren.jobs[job_id]
        session.job_id = job.id if follow and not job.ended else None
        course = Course(tell=not (session.as_json or session.quiet))
        course.begin(job.record)
        for line in job.log(follow=follow):
            course.line(line)
        course.end((job.refresh() if follow else job).record)
    session.give({"job": as_json(job.record), **course.as_json()}, job.id, lambda: None)


@jobs.command()
@ID
@click.pass_obj
def cancel(session: Session, job_id: str) -> None:
    """Cancel a job.

    A waiting one ends at once, a running one within 2 seconds.
    """
    with session.client() as warren:
        job = warren.jobs[job_id].cancel()
    session.give(as_json(job.record), job.id, lambda: show_job(job.record))


@jobs.command()
@ID
@WAIT
@TIMEOUT
@click.pass_context
def retry(context: click.Context, job_id: str, wait: bool, timeout: float | None) -> None:
    """Train again as a job was asked to, as a new job."""
    session: Session = context.obj
    with session.client() as warren:
        end = finish(session, warren.jobs[job_id].retry(), timeout, wait=wait)
    session.give(as_json(end.job), end.job.id, lambda: show_job(end.job))
    context.exit(end.code)


@jobs.command()
@ID
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    type=output_file,
    help="Where to write it.",
)
@click.pass_obj
def result(session: Session, job_id: str, output: Path) -> None:
    """Save the table that a batch job made."""
    with session.client() as warren:
        job = warren.jobs[job_id]
        job.download(output)
    told = {"job": as_json(job.record), "file": str(output)}
    session.give(told, job.id, lambda: click.echo(console.plain(str(output))))
