"""Search with Optuna alone, as its documentation has it: two processes on one SQLite file, every network in full.

python -m tests.benchmarks.speed.optuna_script digits --trials 60 --seed 0

A study of two objectives cannot be pruned, so there is no pruner. `group=True` is for spaces whose parameters hang on
others.
"""

import argparse
import os
import warnings
from functools import partial
from multiprocessing import Process

import optuna
import torch
from optuna.exceptions import ExperimentalWarning
from optuna.study import MaxTrialsCallback
from optuna.trial import Trial, TrialState

from spaces.errors import InfeasibleArchitecture
from tests.benchmarks.speed import plain

STORAGE, STUDY, PROCESSES = "sqlite:///optuna.db", "digits", 2


def objective(trial: Trial, what: plain.Task, images: plain.Images, seed: int) -> tuple[float, float]:
    """Train what the trial chooses, and return accuracy and multiply-accumulates."""
    try:
        architecture, macs = plain.network_of(plain.suggest(trial, what), what, images)
    except InfeasibleArchitecture as error:
        raise optuna.TrialPruned(str(error)) from error
    for network in plain.training(architecture, what, images, seed + trial.number):
        trained = network
    return plain.accuracy(trained, images), macs


def work(what: plain.Task, trials: int, seed: int, number: int) -> None:
    """Try networks until enough are trained by all processes together."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", ExperimentalWarning)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // PROCESSES))
    images = plain.read(what)
    sampler = optuna.samplers.TPESampler(multivariate=True, group=True, seed=1000 * seed + number)
    study = optuna.load_study(study_name=STUDY, storage=STORAGE, sampler=sampler)
    enough = MaxTrialsCallback(trials, states=(TrialState.COMPLETE,))
    study.optimize(partial(objective, what=what, images=images, seed=1000 * seed), callbacks=[enough])


def main() -> None:
    """Run the search and print its front."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["digits", "fashion"])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="the folder of Fashion-MNIST's files")
    given = parser.parse_args()
    study = optuna.create_study(study_name=STUDY, storage=STORAGE, directions=["maximize", "minimize"])
    what = plain.task(given.task, given.root)
    processes = [Process(target=work, args=(what, given.trials, given.seed, number)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    for trial in study.best_trials:
        print(trial.number, trial.values, trial.params)


if __name__ == "__main__":
    main()
