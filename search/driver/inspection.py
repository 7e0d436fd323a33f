"""Look at data and space before anything starts: what can be wrong with a file is said here, without Ray."""

from search.config.plugins import check_unchanged
from search.config.study import StudyConfig
from search.driver.commands import check_commands
from search.driver.hearing import check_addresses
from search.driver.initial import check_start
from search.driver.preview import Missing
from search.driver.survey import Survey, survey
from search.samplers.registry import check_sampler
from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.datasets import Dataset, load, load_test
from workers.sources import known_image
from workers.trainer import augmentation


def look(config: StudyConfig) -> tuple[Dataset, Survey]:
    """Read the data and look over the space: everything that can be wrong before Ray starts is said here.

    Raises:
        InputError: naming its place in the file.
    """
    check_unchanged(config.packages)
    check_commands(config)
    check_addresses(config)
    data = _read(config)
    return data, _survey(config, data.image)


def look_ahead(config: StudyConfig) -> tuple[Dataset | Missing, Survey]:
    """Look over the space, also where a public data set is not here yet.

    Raises:
        InputError: naming its place in the file.
    """
    try:
        return look(config)
    except InputError as error:
        image = known_image(config.data_spec)
        if error.place != f"data.{config.data_spec.title}" or image is None:  # the images are there: something is wrong
            raise
        return Missing(name=config.data_spec.title, image=image, why=str(error)), _survey(config, image)


def _read(config: StudyConfig) -> Dataset:
    check_sampler(config.sampler.name, config.search_space.parameters)
    try:
        data = load(config.data_spec)
        if config.confirm.seeds and config.confirm.test:
            load_test(config.data_spec)  # a study that trains for days is not told at its end that there is none
    except InputError as error:
        raise error.at("data") from error
    try:
        augmentation(config.extreme_recipe, data.augment).check(data.image.height, data.image.width)
    except InputError as error:
        raise error.at("recipe") from error
    if data.classes < 2:
        raise InputError("all images are of one class; at least two are needed", place="data")
    for name in config.objectives:
        suits = config.measures[name].suits
        if suits is not None and not suits(data.classes):
            raise InputError(f"{name} tells nothing of {data.classes} classes", place="objectives")
    return data


def _survey(config: StudyConfig, image: ImageSpec) -> Survey:
    check_start(config, image)
    return survey(config.search_space, image, config.violations, batch=config.full_recipe.batch_size)
