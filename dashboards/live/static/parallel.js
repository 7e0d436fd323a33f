// Parallel coordinates: an axis for each parameter that was searched, and for what came of it; drag along one to choose.

import {CROWD} from "./curves.js";
import {element, line, put, widthOf} from "./svg.js";
import {count, percent} from "./words.js";

const HEIGHT = 230,
  TOP = 44,
  LOW = 204,
  MOST = 9; // values that an axis names

export class Parallel {
  constructor(page) {
    this.page = page;
    this.place = document.getElementById("parallel-plot");
    this.chosen = new Map(); // by axis: places from and to, as shares of its length
  }

  axes() {
    const {model} = this.page,
      trials = [...model.trials.values()];
    const [cost, quality] = model.study.planes[0];
    const found = model.study.parameters.map(name => axisOf(name, trials, trial => model.param(trial, name)));
    const more = [cost, quality].map(name => axisOf(name, trials, trial => model.value(trial, name), model.axis[name]));
    return [...found, ...more].filter(axis => axis.size > 1);
  }

  // Trials that every dragged range holds, or null where nothing is dragged.
  within() {
    const asked = (this.drawn || []).filter(axis => this.chosen.has(axis.name));
    if (!asked.length) return null;
    const holds = trial =>
      asked.every(axis => {
        const share = axis.share(trial),
          [low, high] = this.chosen.get(axis.name);
        return share !== null && share >= low && share <= high;
      });
    return new Set([...this.page.model.trials.values()].filter(holds).map(trial => trial.number));
  }

  clear() {
    this.chosen.clear();
  }

  draw() {
    const axes = (this.drawn = this.axes()),
      width = widthOf(this.place),
      {model} = this.page,
      meant = this.page.meant();
    if (axes.length < 2) {
      put(this.place);
      return;
    }
    const gap = (width - 90) / (axes.length - 1),
      at = place => 45 + place * gap,
      y = share => LOW - share * (LOW - TOP);
    const root = element("svg", {
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      "aria-label": "parameters of every trial, and what came of them",
    });
    const path = trial =>
      line(
        axes
          .map((axis, place) => [at(place), axis.share(trial)])
          .filter(([, share]) => share !== null)
          .map(([x, share]) => [x, y(share)]),
      );
    const kinds = {stopped: [], failed: [], running: [], dominated: [], front: []},
      on = [];
    for (const trial of model.trials.values()) {
      kinds[model.kind(trial)].push(path(trial));
      if (meant?.has(trial.number)) on.push(path(trial));
    }
    for (const [kind, paths] of Object.entries(kinds))
      root.append(
        element("path", {
          class: `curve ${kind}${meant ? " faint" : model.trials.size > CROWD && kind !== "front" ? " crowd" : ""} many`,
          d: paths.join(""),
        }),
      );
    root.append(element("path", {class: "curve meant many", d: on.join("")}));
    axes.forEach((axis, place) => root.append(...this.axis(axis, at(place), y, place, gap)));
    put(this.place, root);
  }

  axis(axis, x, y, place, gap) {
    const last = place === this.drawn.length - 1;
    const made = [element("path", {class: "frame", d: `M${x} ${TOP}V${LOW}`})];
    for (const [share, text] of axis.ticks)
      made.push(
        element(
          "text",
          {class: `tick halo${last ? " end" : ""}`, x: last ? x - 5 : x + 5, y: y(share) + 4},
          short(text, gap),
        ),
      );
    made.push(
      element("text", {class: "tick middle", x, y: place % 2 && gap < 90 ? 14 : 28}, short(axis.name, gap * 2)),
    );
    const range = this.chosen.get(axis.name);
    if (range)
      made.push(
        element("rect", {
          class: "range",
          x: x - 7,
          width: 14,
          y: y(range[1]),
          height: Math.max(y(range[0]) - y(range[1]), 2),
        }),
      );
    const handle = element("rect", {
      class: "handle",
      x: x - 12,
      width: 24,
      y: TOP - 6,
      height: LOW - TOP + 12,
      "data-axis": axis.name,
    });
    handle.addEventListener("pointerdown", event => this.grab(event, axis));
    return [...made, handle];
  }

  grab(event, axis) {
    event.preventDefault();
    const share = each =>
      Math.min(1, Math.max(0, (LOW - (each.clientY - this.place.getBoundingClientRect().top)) / (LOW - TOP)));
    const began = share(event);
    let moved = false;
    const move = each => {
      const now = share(each);
      moved = moved || Math.abs(now - began) > 0.02;
      if (moved) this.chosen.set(axis.name, [Math.min(began, now) - 0.005, Math.max(began, now) + 0.005]);
      this.page.choose();
    };
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      if (!moved) this.chosen.delete(axis.name);
      this.page.choose();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
  }
}

const short = (text, room) =>
  text.length * 6.4 > room - 8 ? `${text.slice(0, Math.max(2, Math.floor((room - 14) / 6.4)))}…` : text;

function axisOf(name, trials, read, axis = null) {
  const values = trials.map(read).filter(value => value !== null && value !== undefined);
  const distinct = [...new Set(values)];
  const numeric = values.every(value => typeof value === "number");
  if (!numeric || (!axis && distinct.length <= MOST)) return listed(name, distinct, read, numeric);
  const rate = axis?.rate,
    go = rate ? share => -Math.log10(Math.max(1 - share, 1e-4)) : null;
  const low = distinct.reduce((a, b) => Math.min(a, b), Infinity),
    high = distinct.reduce((a, b) => Math.max(a, b), -Infinity);
  const log = go || (low > 0 && high / low > 10 ? Math.log10 : Number),
    span = log(high) - log(low) || 1;
  const write = value => (rate ? percent(value) : count(value));
  return {
    name,
    size: distinct.length,
    ticks: [
      [0, write(low)],
      [1, write(high)],
    ],
    share: trial => {
      const value = read(trial);
      return value === null || value === undefined ? null : (log(value) - log(low)) / span;
    },
  };
}

function listed(name, distinct, read, numeric) {
  const order = numeric ? distinct.sort((a, b) => a - b) : distinct.map(String).sort();
  const last = Math.max(order.length - 1, 1),
    place = new Map(order.map((value, index) => [String(value), index / last]));
  const shown = order.length <= MOST ? order : [order[0], order[order.length - 1]];
  return {
    name,
    size: order.length,
    ticks: shown.map(value => [place.get(String(value)), String(value)]),
    share: trial => {
      const value = read(trial);
      return value === null || value === undefined ? null : place.get(String(value));
    },
  };
}
