// The best that was found within three budgets, by the time that launches were alive.

import {asTable} from "./data.js";
import {LEFT, RIGHT, element, html, largest, plane, put, quality, scale, smallest, widthOf} from "./svg.js";
import {duration, exact, value} from "./words.js";

const NAMES = ["one", "two", "three"];

// Seconds of a moment on the study's own clock, which stands still between launches.
export function alive(wall, moment) {
  return wall.reduce((sum, [start, end]) => sum + Math.max(0, Math.min(end, moment) - start), 0);
}

export function drawTime(page, place) {
  const {model} = page,
    [cost, good] = [page.front.cost, page.front.quality],
    axis = model.axis[good];
  const ended = [...model.trials.values()]
    .filter(
      trial =>
        trial.where === "complete" &&
        trial.ended !== null &&
        model.value(trial, good) !== null &&
        model.value(trial, cost) !== null,
    )
    .sort((a, b) => a.ended - b.ended);
  if (!ended.length || !page.front.budget.possible) {
    put(place, html("p", {}, "No network has been trained in full yet."));
    return;
  }
  const wall = model.head.wall,
    costs = ended.map(trial => model.value(trial, cost));
  const bounds = budgets(smallest(costs, Infinity), largest(costs, 0), page.front.budget.limit);
  const total = Math.max(
    wall.reduce((sum, [start, end]) => sum + end - start, 0),
    ...ended.slice(-1).map(trial => alive(wall, trial.ended)),
    1,
  );
  const lines = bounds.map(limit =>
    steps(
      ended.filter(trial => model.value(trial, cost) <= limit),
      trial => alive(wall, trial.ended),
      trial => model.value(trial, good),
      axis.least,
    ),
  );
  const width = widthOf(place),
    height = 300,
    size = total >= 7200 ? 3600 : total >= 120 ? 60 : 1;
  const up = quality(
    axis,
    lines.flat().map(([, found]) => found),
    height,
  );
  const across = scale([0, total / size], [LEFT, width - RIGHT], {least: 0});
  const title = `time that launches were alive (${{1: "s", 60: "min", 3600: "h"}[size]})`;
  const root = plane({width, height, across: {scale: across, title, write: String}, up});
  root.setAttribute("role", "img");
  const told = bounds.map(
    (limit, index) => `${within(limit, cost)}: ${lines[index].length ? said(axis, lines[index]) : "nothing yet"}`,
  );
  root.setAttribute("aria-label", told.join("; "));
  lines.forEach((found, index) => {
    const d = found
      .map(([at, best], step) =>
        step
          ? `H${across.place(at / size).toFixed(1)}V${up.at(best).toFixed(1)}`
          : `M${across.place(at / size).toFixed(1)} ${up.at(best).toFixed(1)}`,
      )
      .join("");
    root.append(
      element("path", {class: `within ${NAMES[index]}`, d: d && `${d}H${across.place(total / size).toFixed(1)}`}),
    );
  });
  const legend = html(
    "ul",
    {class: "legend"},
    ...told.map((text, index) => {
      const key = element(
        "svg",
        {width: 34, height: 10, "aria-hidden": "true"},
        element("path", {class: `within ${NAMES[index]}`, d: "M1 5H33"}),
      );
      return html("li", {}, key, ` ${text}`);
    }),
  );
  const rows = () =>
    lines.flatMap((found, index) =>
      found.map(step => [within(bounds[index], cost), duration(step[0]), value(axis, step[1])]),
    );
  put(place, root, legend, asTable(place, "The best by time", ["within", "after", axis.title], rows));
}

function within(limit, cost) {
  return `${limit === Infinity ? "any" : `up to ${exact(limit)}`} ${cost}`;
}

function said(axis, found) {
  const best = found[found.length - 1];
  return `${value(axis, best[1])} after ${duration(best[0])}`;
}

// My budget, or one in the midst of what was found; one below it; none.
function budgets(low, high, mine) {
  const middle = mine ?? Number(Math.sqrt(low * high).toPrecision(2)),
    less = Number(Math.sqrt(low * Math.max(middle, low)).toPrecision(2));
  return [less, middle, Infinity];
}

function steps(trials, when, read, least) {
  const found = [];
  for (const trial of trials) {
    const value = read(trial),
      best = found.length ? found[found.length - 1][1] : null;
    if (best === null || (least ? value < best : value > best)) found.push([when(trial), value]);
  }
  return found;
}
