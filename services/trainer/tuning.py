"""Runs side by side on Ray Tune, which decides what runs when and what is stopped early."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune import (
    Callback,
    CheckpointConfig,
    ExperimentAnalysis,
    RunConfig,
    TuneConfig,
    Tuner,
)
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

from trainer.running import Running
from trainer.sweep import Domain, Sweep
from trainer.trial import METRICS, Ended, Job, Report, Share, TrialError, job_of

log = logging.getLogger(__name__)


class InterruptedStudy(Exception):
    """Not all runs have come to their end; the message says how to go on."""


class Trial(tune.Trainable):  # type: ignore[misc]  # Ray's types are not read
    """A job as Tune sees it: a step is an epoch, and the last step the end of the run."""

    def setup(self, config: dict[str, Any], share: Share, environment: dict[str, str]) -> None:
        # settings are those of the command that goes on, not of the one that began: MLflow may have
        # moved
        job = _job(config, self.trial_id).model_copy(update={"environment": environment})
        self.running = Running(job, share)

    def step(self) -> dict[str, Any]:
        report = self.running.report()
        return {**_flat(report), "done": report.ending is not None}

    def cleanup(self) -> None:
        self.running.stop()


def _flat(report: Report) -> dict[str, Any]:
    found = report.model_dump(exclude={"best", "test", "error"}, exclude_none=True)
    return {**found, **report.best, **report.test}


def _job(config: Mapping[str, Any], trial_id: str) -> Job:
    # Tune's ids end in the count of those before
    number = int(trial_id.rpartition("_")[2]) + 1
    return job_of(Job.model_validate(config["job"]), number, config["parameters"])


def _name(trial: RayTrial) -> str:
    return _job(trial.config, trial.trial_id).name


class _Said(Callback):  # type: ignore[misc]  # as above
    """A line in the log for each epoch and for each run that ends. Tune keeps it on disk."""

    def on_trial_start(
        self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any
    ) -> None:
        log.info("%s: started", _name(trial))

    def on_trial_result(
        self,
        iteration: int,
        trials: list[RayTrial],
        trial: RayTrial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        if "ending" not in result:
            log.info(
                "%s: epoch %d, validation CER %.2f %% at best",
                _name(trial),
                result["epoch"],
                100 * result["val_cer"],
            )

    def on_trial_complete(
        self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any
    ) -> None:
        log.info("%s: %s", _name(trial), trial.last_result.get("ending", "stopped early"))

    def on_trial_error(
        self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any
    ) -> None:
        log.info("%s: failed", _name(trial))


@dataclass(frozen=True)
class Search:
    """What is to be run."""

    job: Job
    """Of which each run is a variant: see `trainer.trial.job_of`."""
    count: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Name of each that varies -> a domain of Tune to draw it from."""
    seed: int = 1
    """Of what is drawn."""
    scheduler: TrialScheduler | None = None
    """Stops poor runs early; None lets all come to their end."""


def search(job: Job, sweep: Sweep) -> Search:
    """The trials of a sweep."""
    stopping = sweep.early_stopping
    scheduler = (
        None
        if stopping is None
        else ASHAScheduler(
            time_attr="epoch",
            metric=sweep.metric,
            mode="min",
            # one that has come to its last epoch is left to end by itself
            max_t=sweep.epochs + 1,
            grace_period=stopping.grace_epochs,
            reduction_factor=stopping.reduction_factor,
        )
    )
    return Search(job, sweep.trials, _drawn(sweep.domains()), sweep.seed, scheduler)


def _drawn(domains: Mapping[str, Any]) -> dict[str, Any]:
    """Domains as Tune draws from them."""
    found: dict[str, Any] = {}
    for name, domain in domains.items():
        if not isinstance(domain, Domain):
            found[name] = _drawn(domain)
        elif domain.kind == "choice":
            found[name] = tune.choice(domain.values)
        elif domain.kind == "randint":
            low, high = domain.values
            found[name] = tune.randint(low, high + 1)
        else:
            found[name] = getattr(tune, domain.kind)(*domain.values)
    return found


def run_all(wanted: Search, folder: Path, share: Share) -> list[Ended]:
    """Run all, or go on with those in `folder`; those that failed are tried again.

    Returns:
        How each ended, in their order.

    Raises:
        InterruptedStudy: Ctrl-C ended it before that.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what fails is told at the end
    path = str(folder.absolute())
    trainable = _trainable(share, wanted.job.environment)
    if Tuner.can_restore(path):
        Tuner.restore(path, trainable, resume_errored=True).fit()
    else:
        _new(wanted, trainable, folder).fit()
    # not the grid that is returned: it has no settings of a trial that failed in its first epoch
    trials = ExperimentAnalysis(path).trials or []
    ended = [each for each in trials if each.status in (RayTrial.TERMINATED, RayTrial.ERROR)]
    if len(ended) < wanted.count:
        raise InterruptedStudy("Interrupted; the same command goes on.")
    return [_ended(trial) for trial in ended]


def _trainable(share: Share, environment: dict[str, str]) -> Any:
    wanted = {"cpu": share.cpus, "memory": share.memory, "gpu": share.gpus}
    trial = tune.with_parameters(Trial, share=share, environment=environment)
    return tune.with_resources(trial, wanted)


def _new(wanted: Search, trainable: Any, folder: Path) -> Tuner:
    job = wanted.job.model_dump(mode="json")
    return Tuner(
        trainable,
        param_space={"job": job, "parameters": dict(wanted.parameters)},
        tune_config=TuneConfig(
            num_samples=wanted.count,
            scheduler=wanted.scheduler,
            search_alg=BasicVariantGenerator(random_state=wanted.seed),
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=RunConfig(
            name=folder.name,
            storage_path=str(folder.parent.absolute()),
            # runs write checkpoints of their own
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
            callbacks=[_Said()],
        ),
    )


def _ended(trial: RayTrial) -> Ended:
    said = trial.last_result or {}
    report = Report(
        epoch=said.get("epoch", 0),
        best={name: said[name] for name in METRICS if name in said},
        ending=said.get("ending"),
        version=said.get("version"),
        test={name: said[name] for name in ("test_cer", "test_wer") if name in said},
    )
    failed = trial.status == RayTrial.ERROR
    error = _told(trial.get_pickled_error() or trial.get_error()) if failed else None
    job = _job(trial.config, trial.trial_id)
    return Ended(job, trial.config["parameters"], report, error)


def _told(error: object) -> str:
    """An error of a run without Ray's tracebacks."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, TrialError):
        return str(cause)
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


def run_one(job: Job, share: Share) -> Report:
    """Run a single job the same way, and wait for its end. Raises `TrialError`."""
    remote = ray.remote(num_cpus=share.cpus, memory=share.memory, num_gpus=share.gpus)
    try:
        return Report.model_validate(ray.get(remote(_to_its_end).remote(job, share)))
    except RayError as error:
        raise TrialError(_told(error)) from error


def _to_its_end(job: Job, share: Share) -> Report:
    return Running(job, share).last_report()
