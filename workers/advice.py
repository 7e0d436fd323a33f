"""What is odd about data and recipe together: nothing is refused, but a person would want to know it first."""

from workers.datasets import Dataset
from workers.duplicates import duplicates
from workers.recipe import Recipe

FEW = 10  # training images of a class
LEAST_STEPS = 50  # of the optimiser, in a full training
LEFT_OUT = 1 / 3  # of an epoch: as much as a last, smaller batch may be
FAST = 0.02  # of adamw, a rate that ruins most trainings
ONE_SIDED = 0.95  # share of the images that one class has
UNEQUAL = 10  # times the smallest class, beyond which the largest one drowns it


def advice(data: Dataset, recipe: Recipe) -> list[str]:
    """Return a line for everything that is odd; what was not read comes first."""
    return [
        *data.warnings,
        *_images(data),
        *_labels(data),
        *_unequal(data, recipe),
        *_equal(data),
        *_steps(data, recipe),
        *_rate(recipe),
    ]


def _images(data: Dataset) -> list[str]:
    images = data.train_images
    if not (images != images[0]).any():
        value = f"all {int(images[0].flatten()[0])}" if not (images != images.flatten()[0]).any() else "one picture"
        return [f"all images are alike ({value}): is what tells them apart in their transparency, which is dropped?"]
    flat = images.amin(dim=(0, 2, 3)) == images.amax(dim=(0, 2, 3))
    empty, count = [int(each) for each in flat.nonzero()], images.shape[1]
    return [f"channel {empty[0]} of {count}, from 0, is the same in all images: it tells nothing"] if empty else []


def _labels(data: Dataset) -> list[str]:
    counts = data.train_labels.bincount(minlength=data.classes)
    lines = []
    least = int(counts.argmin())
    if counts[least] < FEW:
        few = int((counts < FEW).sum())
        others = f" and {few - 1} other classes" if few > 1 else ""
        name = data.class_names[least]
        lines.append(f"class {name!r} has {int(counts[least])} training images{others}: too few to be learned")
    if counts.max() > ONE_SIDED * len(data.train_labels):
        name, share = data.class_names[int(counts.argmax())], int(counts.max()) / len(data.train_labels)
        lines.append(f"class {name!r} has {share:.0%} of the images: accuracy says little")
    if data.classes > len(data.train_labels) / 2:
        lines.append(f"{data.classes} classes for {len(data.train_labels)} training images: are these labels?")
    return lines


def _unequal(data: Dataset, recipe: Recipe) -> list[str]:
    """Say where the largest class has more than `UNEQUAL` times the training images of the smallest, unbalanced."""
    counts = data.train_labels.bincount(minlength=data.classes)
    least, most = int(counts.where(counts > 0, counts.max()).argmin()), int(counts.argmax())
    if recipe.balance != "none" or counts[most] <= UNEQUAL * counts[least]:
        return []
    few, many = data.class_names[least], data.class_names[most]
    return [
        f"class {many!r} has {int(counts[most]):,} training images and class {few!r} {int(counts[least]):,}, and "
        "nothing balances them: recipe.balance can be weights or sampling"
    ]


def _equal(data: Dataset) -> list[str]:
    """Say where validation images are training images too, stand there twice, or labels contradict each other."""
    if not (data.train_images != data.train_images[0]).any():
        return []  # all of them: it is said
    found = duplicates(data.train_images, data.train_labels, data.val_images, data.val_labels)
    of, lines = f"of {len(data.val_labels):,} validation images", []
    if found.first_copied:
        mine, theirs = found.first_copied
        lines.append(
            f"{found.copied:,} {of} {_are(found.copied)} also among the training images (the first is image {mine}, "
            f"training image {theirs}, from 0): accuracy is told too high"
        )
    if found.first_repeated:
        later, earlier = found.first_repeated
        lines.append(
            f"{found.repeated:,} {of} {_are(found.repeated)} there more than once (the first is image {later}, as "
            f"image {earlier}): they count as often"
        )
    if found.first_contradicting:
        told = " and ".join(_place(data, each) for each in found.first_contradicting)
        lines.append(f"{found.contradicting:,} images are equal to others of another class, such as {told}")
    return lines


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _place(data: Dataset, place: int) -> str:
    """Name an image, counted through those to train on and then those to be measured on, and its class."""
    own = place - len(data.train_labels)
    part, labels = ("training", data.train_labels) if own < 0 else ("validation", data.val_labels)
    at = place if own < 0 else own
    return f"{part} image {at} ({data.class_names[int(labels[at])]!r})"


def _steps(data: Dataset, recipe: Recipe) -> list[str]:
    count = len(data.train_labels)
    batch = min(recipe.batch_size, count)
    steps, left = divmod(count, batch)
    lines = []
    if steps * recipe.epochs < LEAST_STEPS:
        lines.append(
            f"a full training is {steps * recipe.epochs} steps ({count} images, batches of {batch}, {recipe.epochs} "
            "epochs): too few to learn from; a smaller recipe.batch_size or more epochs help"
        )
    if left > LEFT_OUT * count:
        lines.append(f"batches of {batch} leave {left} of {count} images out of each epoch")
    return lines


def _rate(recipe: Recipe) -> list[str]:
    if recipe.optimizer != "adamw" or recipe.learning_rate <= FAST:
        return []
    return [f"recipe.learning_rate {recipe.learning_rate:g} is high for adamw: 0.001 is usual"]
