"""`routeward replay`: what a learning policy would have done with the requests of a log."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from routeward.cli import replay_options as options
from routeward.cli.logs import Format, LogOptions, Map, Namespace, Quality, opened, tell_left_out
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, console, print_json
from routeward.cli.outputs import PRINTED, Force, checked_json
from routeward.cli.prices import prices_of
from routeward.cli.report import ReportFile, RequestsPerMonth, checked_report, deliver_report
from routeward.cli.service import loaded

if TYPE_CHECKING:
    from simulations.replay.command import Replay, ReplayOptions
    from simulations.replay.offer import Learner

REFUSED: Final = "REPLAY_REFUSED"


def replay(
    log: options.Log,
    *,
    config: options.Config = None,
    price: options.Price = None,
    models: options.Models = "",
    without: options.Without = None,
    answer_value_usd: options.AnswerValueUsd = None,
    second_value_usd: options.SecondValueUsd = None,
    exploration: options.Exploration = None,
    refresh_seconds: options.RefreshSeconds = None,
    answer_delay_seconds: options.AnswerDelaySeconds = None,
    judge_delay_seconds: options.JudgeDelaySeconds = None,
    dry: options.DryOption = options.Dry.RESAMPLE,
    drift_buckets: options.DriftOption = options.DriftBuckets.AUTO,
    seeds: options.Seeds = 20,
    workers: options.Workers = 0,
    namespace: Namespace = "",
    quality: Quality = "any",
    column_map: Map = None,
    log_format: Format = "",
    report: ReportFile = None,
    requests_per_month: RequestsPerMonth = None,
    force: Force = False,
    json: options.Out = None,
) -> None:
    """Replay a log: what routeward would have done with its requests, next to what was done and to fixed models.

    Ends with 1 where a check is red.
    """
    from simulations.replay.command import ReplayOptions
    from simulations.replay.offer import WhatIf

    checked_json(json, (log, config))
    checked_report(report, requests_per_month, inputs=(log, config), json=json, force=force)
    learner = replace(_learner(config), answer_value_usd=answer_value_usd, second_value_usd=second_value_usd)
    if refresh_seconds is not None:
        learner = replace(learner, refresh_s=refresh_seconds)
    if exploration is not None:
        learner = replace(learner, policy=replace(learner.policy, exploration=exploration))
    asked = ReplayOptions(
        what_if=WhatIf(prices_of(price or ()), _names(models), tuple(without or ())),
        dry=dry.value,
        drift=drift_buckets.value,
        seeds=seeds,
        answer_delay_s=answer_delay_seconds,
        judge_delay_s=judge_delay_seconds,
        workers=workers,
        keeps_pace=refresh_seconds is not None,
    )
    result = _replayed(log, LogOptions(namespace, quality, tuple(column_map or ()), log_format), learner, asked, json)
    _show(result, json, report, requests_per_month)


def _replayed(
    log: Path, log_options: LogOptions, learner: "Learner", asked: "ReplayOptions", out: Path | None
) -> "Replay":
    """Run it, and write the result where that was asked for."""
    from adapters.traffic.errors import LogError
    from simulations.documents import write_document
    from simulations.errors import SimulationError
    from simulations.progress import shown_progress
    from simulations.replay.command import replay as replayed
    from simulations.replay.document import document_of

    try:
        with shown_progress(console(stderr=True), "runs") as progress:
            result = replayed(opened(log, log_options), learner, asked, progress)
        tell_left_out(result.report)
        if out not in (None, PRINTED):
            write_document(document_of(result), out)
    except (LogError, SimulationError) as error:
        raise CommandError(REFUSED, str(error), exit_code=WRONG_USE) from error
    return result


def _show(result: "Replay", out: Path | None, page: Path | None, requests_per_month: float | None) -> None:
    """Print a result, or a table of it, and make a page of it; a red one ends with 1."""
    from simulations.replay.checks import overall
    from simulations.replay.document import document_of
    from simulations.replay.summary import summary_table

    document = document_of(result)
    if out == PRINTED:
        print_json(document)
    else:
        console().print(summary_table(result))
    deliver_report(document, page, requests_per_month)
    if overall(result.checks) == "red":
        raise typer.Exit(FOUND_PROBLEM)


def _learner(config: Path | None) -> "Learner":
    """Return the service's core as a configuration sets it up, or by default."""
    from simulations.replay.offer import Learner

    if config is None:
        return Learner()
    from server.settings import DEFAULT_PROFILE

    settings = loaded(config)
    catalogue, learning = settings.catalogue, settings.learning
    return Learner(
        models=catalogue.models,
        inference=learning.inference,
        policy=learning.policy,
        refresh_s=learning.refresh_s,
        bucket_s=learning.bucket_s,
        objective=catalogue.profiles[DEFAULT_PROFILE],
        input_tokens={name: category.input_tokens for name, category in catalogue.categories.items()},
    )


def _names(written: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in written.split(",") if name.strip())
