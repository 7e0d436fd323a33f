// The front in the plane of a cost and of how good a network is: marks, steps, names, and another study's behind them.

import {Budget} from "./budget.js";
import {
  LEFT,
  LOW,
  RIGHT,
  TOP,
  dots,
  element,
  hideTip,
  html,
  nearest,
  plane,
  put,
  quality,
  scale,
  showTip,
  widthOf,
} from "./svg.js";
import {count, exact, many, number} from "./words.js";

const FADE_MS = 6000; // for which a new point is marked
const KINDS = ["stopped", "running", "dominated", "front"]; // drawn in this order, the front on top

export class Front {
  constructor(page) {
    this.page = page;
    this.plane = 0;
    this.other = null; // another study, laid over this one
    this.marked = new Map(); // new points, by when their mark ends
    this.points = [];
    this.place = document.getElementById("front-plot");
    this.budget = new Budget(page, this);
    document.getElementById("show-stopped").addEventListener("change", () => this.draw());
    document.getElementById("plane").addEventListener("change", event => this.turn(Number(event.target.value)));
    this.place.addEventListener("pointermove", event => this.hover(event));
    this.place.addEventListener("pointerleave", hideTip);
    this.place.addEventListener("click", event => this.open(event));
  }

  get model() {
    return this.page.model;
  }

  get cost() {
    return this.model.study.planes[this.plane][0];
  }

  get quality() {
    return this.model.study.planes[this.plane][1];
  }

  get stopped() {
    return document.getElementById("show-stopped").checked;
  }

  // Begin with a study; the budget that the address names stays.
  begin() {
    const planes = this.model.study.planes,
      choice = document.getElementById("plane");
    const [, named, limit] = /^#(\w+)=(.+)$/.exec(decodeURIComponent(location.hash)) || [];
    const asked = planes.findIndex(([cost]) => cost === named);
    this.plane = Math.max(asked, 0);
    choice.replaceChildren(
      ...planes.map(([cost], place) => html("option", {value: place}, this.model.axis[cost].title)),
    );
    choice.value = this.plane;
    document.getElementById("plane-label").hidden = planes.length < 2;
    this.budget.turn();
    this.budget.limit = asked >= 0 ? number(limit) : null;
  }

  turn(place) {
    this.plane = place;
    this.budget.turn();
    this.draw();
    this.page.budgetMoved();
  }

  // What is drawn, by how: values across and up, and the trial.
  drawn() {
    const found = Object.fromEntries(KINDS.map(kind => [kind, []]));
    for (const trial of this.model.trials.values()) {
      const kind = this.model.kind(trial);
      const point = {x: this.model.value(trial, this.cost), y: this.model.value(trial, this.quality), trial};
      if (point.x === null || point.y === null || !(kind in found) || (kind === "stopped" && !this.stopped)) continue;
      if (trial.where === "outside") continue;
      found[kind].push(point);
    }
    return found;
  }

  draw() {
    this.budget.settle();
    const drawn = this.drawn(),
      others = this.other ? this.other.points(this.cost, this.quality) : [];
    const all = [...Object.values(drawn).flat(), ...others];
    this.beyond = 0;
    this.points = [];
    if (all.length) this.fill(drawn, others, all);
    else put(this.place);
    this.legend(drawn, others);
    this.budget.say();
  }

  fill(drawn, others, all) {
    const width = widthOf(this.place),
      height = Math.min(520, Math.max(340, Math.round(width * 0.52)));
    const {across, up} = (this.scales = this.axes(drawn, others, all, width, height));
    const edge = y => Math.min(Math.max(y, TOP), height - LOW);
    const at = point => [across.place(point.x), edge(up.at(point.y))];
    this.beyond = all.filter(point => up.at(point.y) !== at(point)[1]).length;
    this.points = KINDS.flatMap(kind => drawn[kind].map(point => ({...point, kind, at: at(point)})));
    const {title, unit} = this.model.axis[this.cost];
    const root = plane({width, height, across: {scale: across, title: `${title} (${unit})`, write: exact}, up});
    root.setAttribute("aria-label", "networks by cost and by how good they are");
    for (const kind of KINDS.slice(0, -1))
      root.append(element("path", {class: `dots ${kind}`, d: dots(drawn[kind].map(at))}));
    root.append(this.meant(), ...this.laidOver(others, at), ...this.constraint());
    root.append(element("path", {class: "steps", d: this.stepsPath(drawn.front, at)}));
    root.append(...this.budget.draw()); // below the marks, which can be taken too
    root.append(...drawn.front.map(point => this.mark(point, at(point))));
    root.append(...this.rings(at, drawn), ...this.labels(drawn.front, at, width));
    put(this.place, root);
    this.light(this.page.lit ?? null);
  }

  // The axes: up, of what was trained in full alone, as the others would flatten it.
  axes(drawn, others, all, width, height) {
    const full = [...drawn.front, ...drawn.dominated, ...others];
    const values = (full.length > 1 ? full : all).flatMap(point => [point.y, ...(point.trial?.ends || [])]);
    const log = all.every(point => point.x > 0);
    const across = scale(
      all.map(point => point.x),
      [LEFT, width - RIGHT],
      {log},
    );
    return {across, up: quality(this.model.axis[this.quality], values, height), height};
  }

  // Trials that are filtered or brushed.
  meant() {
    const meant = this.page.meant();
    const d = meant ? dots(this.points.filter(point => meant.has(point.trial.number)).map(point => point.at)) : "";
    return element("path", {class: "dots meant", d});
  }

  laidOver(others, at) {
    const best = others.filter(point => point.best);
    return [
      element("path", {class: "dots other", d: dots(best.map(at))}),
      element("path", {class: "steps other", d: this.stepsPath(best, at)}),
    ];
  }

  constraint() {
    const {across, height} = this.scales;
    const bound = /<=?\s*([\d.eE+]+)/.exec(this.model.study.constraints[this.cost] || "");
    const x = bound ? across.place(Number(bound[1])) : NaN;
    if (!(x >= across.from && x <= across.to)) return [];
    return [
      element("path", {class: "constraint", d: `M${x} ${TOP}V${height - LOW}`}),
      element("text", {class: "tick end", x: x - 6, y: 28}, `constraint: ${count(Number(bound[1]))}`),
    ];
  }

  // The best that can be had within a budget, as steps.
  stepsPath(points, at) {
    const places = this.edge(points).map(at);
    if (!places.length) return "";
    const [first, ...more] = places.map(([x, y]) => [x.toFixed(1), y.toFixed(1)]);
    return `M${first.join(" ")}${more.map(([x, y]) => `H${x}V${y}`).join("")}H${this.scales.across.to}`;
  }

  edge(points) {
    const sign = this.model.axis[this.quality].least ? 1 : -1;
    const sorted = [...points].sort((a, b) => a.x - b.x || sign * (a.y - b.y)),
      found = [];
    for (const point of sorted) if (!found.length || sign * (point.y - found.at(-1).y) < 0) found.push(point);
    return found;
  }

  mark(point, [x, y]) {
    const {trial} = point,
      {up} = this.scales,
      key = {"data-key": `f${trial.number}`, "data-trial": trial.number};
    const made = element("g", {
      class: "mark",
      tabindex: 0,
      role: "button",
      "aria-label": this.told(trial).join(", "),
      ...key,
    });
    if (trial.ends && trial.ends[0] !== null) {
      made.append(element("path", {class: "ends", d: `M${x} ${up.at(trial.ends[0])}V${up.at(trial.ends[1])}`}));
    }
    made.append(element("circle", {cx: x, cy: y, r: 6, class: "front"}));
    made.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.page.open(trial.number);
    });
    made.addEventListener("focus", () => showTip(this.told(trial), ...this.screen(x, y)));
    made.addEventListener("blur", hideTip);
    return made;
  }

  // Names where they fit: below a mark, over no other mark and no other name.
  labels(points, at, width) {
    const marks = points.map(at),
      taken = [];
    return points
      .map((point, place) => ({text: point.trial.name, at: marks[place]}))
      .sort((a, b) => a.at[0] - b.at[0])
      .flatMap(({text, at: [x, y]}) => {
        const box = [x + 8, y + 5, x + 12 + text.length * 6.2, y + 21];
        const hits = ([a, b]) => a > box[0] - 7 && a < box[2] + 7 && b > box[1] - 7 && b < box[3] + 7;
        const overlaps = other => other[0] < box[2] && other[2] > box[0] && other[1] < box[3] && other[3] > box[1];
        if (
          box[2] > width - 8 ||
          box[3] > this.scales.height - 48 ||
          marks.some(mark => (mark[0] !== x || mark[1] !== y) && hits(mark)) ||
          taken.some(overlaps)
        )
          return [];
        taken.push(box);
        return [element("text", {class: "label halo", x: x + 9, y: y + 17, "aria-hidden": "true"}, text)];
      });
  }

  // Rings around what is new, each once.
  rings(at, drawn) {
    const now = Date.now(),
      full = new Map([...drawn.front, ...drawn.dominated].map(point => [point.trial.number, point]));
    for (const each of this.model.fresh) {
      if (full.has(each) && !this.marked.has(each)) this.marked.set(each, now + FADE_MS);
    }
    this.model.fresh.clear();
    const shown = [...this.marked].filter(([each, until]) => until > now && full.has(each));
    return shown.map(([each]) => {
      const [cx, cy] = at(full.get(each));
      return element("circle", {cx, cy, r: 11, class: "new", "data-new": each});
    });
  }

  told(trial) {
    const {model} = this;
    const shown = model.study.axes
      .filter(axis => axis.name === this.quality || !axis.quality)
      .map(axis => `${model.text(trial, axis)} ${axis.title}`);
    const how = trial.seeds ? `mean of ${many("seed", trial.seeds)}` : many("epoch", trial.epochs);
    return [`trial ${trial.number}, ${trial.name}`, how, ...shown];
  }

  // Mark a trial that is meant elsewhere, or none.
  light(number) {
    const found = number === null ? null : (this.points || []).find(point => point.trial.number === number);
    this.place.querySelector(".lit")?.remove();
    if (found) {
      const [cx, cy] = found.at;
      this.place.querySelector("svg").append(element("circle", {cx, cy, r: 10, class: "lit", "data-lit": number}));
    }
  }

  hover(event) {
    const found = this.budget.dragged ? null : nearest(this.points, this.place, event);
    this.place.classList.toggle("over", Boolean(found));
    this.page.light(found ? found.trial.number : null);
    if (found) showTip(this.told(found.trial), event.clientX, event.clientY);
    else hideTip();
  }

  open(event) {
    const found = nearest(this.points, this.place, event);
    if (found && !event.target.closest(".budget")) this.page.open(found.trial.number);
  }

  screen(x, y) {
    const box = this.place.getBoundingClientRect();
    return [box.left + x, box.top + y];
  }

  legend(drawn, others) {
    const {model} = this,
      full = drawn.front.length + drawn.dominated.length,
      counts = model.head.counts;
    const parts = full
      ? [
          `${many("network", model.front.numbers.length)} on the front of ${full} that were trained in full (${many("epoch", model.study.epochs)})`,
        ]
      : [];
    if (drawn.running.length)
      parts.push(
        `${many("trial", drawn.running.length)} on the way (${drawn.running.length === 1 ? "a green dot" : "green dots"})`,
      );
    if (counts.stopped)
      parts.push(
        `${counts.stopped} stopped early ${document.getElementById("show-stopped").checked ? "(squares: after fewer epochs)" : "are not drawn"}`,
      );
    if (counts.outside) parts.push(`${counts.outside} that the changed space no longer holds are not drawn`);
    if (this.beyond) parts.push(`${this.beyond} of them too bad for this axis lie on its edge`);
    const bounds = Object.entries(model.study.constraints).map(([name, bound]) => `${name} ${bound}`);
    if (bounds.length) parts.push(`every network keeps ${bounds.join(", ")}`);
    if (others.length) parts.push(`dashed: ${this.other.name}`);
    document.getElementById("front-says").textContent = parts.length ? `${parts.join("; ")}.` : "";
  }
}
