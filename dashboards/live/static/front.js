// The front in the plane of a cost and of how good a network is, with a budget as a line that can be moved.

import {dots, element, hideTip, html, line, plane, put, scale, showTip, widthOf} from "./svg.js";
import {count, exact, many, number, value} from "./words.js";

const NEAR = 14;  // pixels within which a point is meant
const FADE_MS = 6000;  // for which a new point is marked

// A round number that is not below another.
function above(number) {
  const unit = 10 ** (Math.floor(Math.log10(Math.max(number, 1e-9))) - 1);
  return Number((Math.ceil(number / unit - 1e-9) * unit).toPrecision(3));
}

const smallest = numbers => numbers.reduce((a, b) => Math.min(a, b), 1);

export class Front {
  constructor(page) {
    this.page = page;
    this.plane = 0;
    this.limit = null;
    this.other = null;  // another study, laid over this one
    this.marked = new Map();  // new points, by when their mark ends
    this.field = document.getElementById("budget");
    this.answer = document.getElementById("answer");
    this.place = document.getElementById("front-plot");
    this.field.addEventListener("change", () => this.read());
    this.field.addEventListener("keydown", event => event.key === "Enter" && this.read());
    document.getElementById("show-stopped").addEventListener("change", () => this.draw());
    document.getElementById("plane").addEventListener("change", event => this.turn(Number(event.target.value)));
    this.place.addEventListener("pointermove", event => this.hover(event));
    this.place.addEventListener("pointerleave", hideTip);
    this.place.addEventListener("click", event => this.open(event));
  }

  get model() { return this.page.model; }
  get cost() { return this.model.study.planes[this.plane][0]; }
  get quality() { return this.model.study.planes[this.plane][1]; }
  get budgeted() { return this.cost in this.model.front.steps; }

  // Begin with a study; the budget that the address names stays.
  begin() {
    const planes = this.model.study.planes, choice = document.getElementById("plane");
    this.plane = Math.min(this.plane, planes.length - 1);
    choice.replaceChildren(...planes.map(([cost], place) => html("option", {value: place}, this.model.axis[cost].title)));
    choice.value = this.plane;
    document.getElementById("plane-label").hidden = planes.length < 2;
    const [, named, limit] = /^#(\w+)=(.+)$/.exec(decodeURIComponent(location.hash)) || [];
    const asked = planes.findIndex(([cost]) => cost === named);
    if (asked >= 0) this.plane = choice.value = asked;
    this.limit = asked >= 0 ? number(limit) : null;
  }

  turn(place) {
    this.plane = place;
    this.limit = null;
    this.draw();
  }

  // Without a budget that was named, one in the midst of the steps.
  settle() {
    const steps = this.model.front.steps[this.cost] || [];
    if (this.limit === null && steps.length && !this.touched) this.limit = above(steps[Math.floor(steps.length / 2)][0]);
    document.getElementById("budget-label").hidden = !steps.length;
    document.getElementById("budget-unit").textContent = this.cost;
    if (document.activeElement !== this.field) this.field.value = this.limit === null ? "" : exact(this.limit);
  }

  read() {
    const found = number(this.field.value);
    this.field.setAttribute("aria-invalid", found === null && this.field.value.trim() ? "true" : "false");
    if (found !== null) this.set(found, true);
  }

  set(limit, typed = false) {
    this.limit = limit;
    this.touched = true;
    if (!typed) this.field.value = exact(limit);
    history.replaceState(null, "", `#${this.cost}=${Number(limit.toPrecision(6))}`);
    this.say();
    this.moveLine();
    this.page.budgetMoved();
  }

  // Say which network the budget buys, in the words of search.pick; what was said already is not said again.
  say() {
    const found = this.limit === null ? null : this.model.pick(this.cost, this.limit), said = this.sentence(found);
    const key = JSON.stringify(said);
    if (key === this.said) return;
    this.said = key;
    this.answer.replaceChildren(...said.map(part => typeof part === "string" ? part : this.network(...part)));
  }

  // The sentence in parts: words, and networks with what they are to the budget.
  sentence(found) {
    const shown = found && this.typed();
    if (!found) {
      const none = this.budgeted && !(this.model.front.steps[this.cost] || []).length;
      return none ? [`No network has been trained in full (${many("epoch", this.model.study.epochs)}) yet.`] : [];
    }
    if (found.nearest) {
      return [`Nothing keeps ${this.cost} <= ${shown}; the nearest, with ${this.over(found.nearest)} more ${this.cost}, is `, [found.nearest, "nearest"], "."];
    }
    const more = found.more ? [` ${this.over(found.more)} more ${this.cost} buys `, [found.more, "more"], "."] : [" Nothing dearer is better."];
    return [`Below ${shown} ${this.cost}: `, [found.chosen, "chosen"], ".", ...more];
  }

  typed() {
    return number(this.field.value) === this.limit ? this.field.value.trim() : exact(this.limit);
  }

  over(step) {
    return `${Number((100 * (step[0] - this.limit) / Math.max(Math.abs(this.limit), 1e-12)).toPrecision(3))} %`;
  }

  network([, trial, told], role) {
    const [name, ...rest] = told.split(", ");
    const made = html("button", {type: "button", class: "link", "data-role": role, "data-trial": trial, title: `trial ${trial}`}, name);
    made.addEventListener("click", () => this.page.open(trial));
    return html("span", {}, made, `, ${rest.join(", ")}`);
  }

  draw() {
    this.settle();
    const {model} = this, axis = model.axis[this.quality], width = widthOf(this.place), height = Math.min(520, Math.max(340, Math.round(width * 0.52)));
    const stopped = document.getElementById("show-stopped").checked;
    const drawn = {front: [], dominated: [], stopped: [], running: []};
    for (const trial of model.trials.values()) {
      const kind = model.kind(trial), x = model.value(trial, this.cost), y = model.value(trial, this.quality);
      if (x === null || y === null || !(kind in drawn) || (!stopped && kind === "stopped")) continue;
      drawn[kind].push({x, y, trial});
    }
    if (!Object.values(drawn).flat().length) {
      put(this.place);
      this.beyond = 0;
      this.legend(drawn, []);
      this.say();
      return;
    }
    const others = this.other ? this.other.points(this.cost, this.quality) : [];
    const all = [...Object.values(drawn).flat(), ...others];
    const share = axis.rate && !axis.least;  // whose error is drawn
    const errors = share ? all.map(point => 1 - point.y).filter(error => error > 0) : [];
    const floor = smallest(errors) / 2, log = share || all.every(point => point.y > 0);
    const lie = share ? y => Math.max(1 - y, floor) : y => y;  // 98 % and 99 % are as far apart as 80 % and 90 %
    const full = [...drawn.front, ...drawn.dominated, ...others], shown = full.length > 1 ? full : all;  // others would flatten the front
    const ups = shown.flatMap(point => [point.y, ...(point.trial?.ends || [])]).filter(y => y !== null).map(lie);
    const up = scale(ups, share ? [16, height - 46] : [height - 46, 16], {log});
    const across = scale(all.map(point => point.x), [72, width - 16], {log: all.every(point => point.x > 0)});
    this.scales = {across, up: {...up, lie}, height};
    const write = axis.rate && axis.least ? tick => `${Number((100 * tick).toFixed(3))} %` : share ? tick => `${Number((100 * (1 - tick)).toFixed(3))} %` : tick => String(Number(tick.toPrecision(3)));
    const root = plane({width, height,
      across: {scale: across, title: `${model.axis[this.cost].title} (${model.axis[this.cost].unit})`, write: exact},
      up: {scale: {...up, from: height - 46, to: 16}, title: axis.title, write}});
    root.setAttribute("aria-label", "networks by cost and accuracy");
    const edge = y => Math.min(Math.max(y, 16), height - 46);
    const at = point => [across.place(point.x), edge(up.place(lie(point.y)))];
    this.beyond = all.filter(point => up.place(lie(point.y)) !== at(point)[1]).length;
    this.points = Object.entries(drawn).flatMap(([kind, points]) => points.map(point => ({...point, kind, at: at(point)})));
    for (const kind of ["stopped", "running", "dominated"]) root.append(element("path", {class: `dots ${kind}`, d: dots(drawn[kind].map(at))}));
    root.append(this.chosenPath());
    this.drawOther(root, others, at);
    this.drawConstraint(root, across, height);
    root.append(element("path", {class: "steps", d: this.stepsPath(drawn.front, at, across)}));
    if (this.budgeted && this.limit !== null) root.append(this.drawLine());  // below the marks, which can be taken too
    root.append(...drawn.front.map(point => this.mark(point, at(point), lie, up)));
    root.append(...this.rings(at, drawn), ...this.labels(drawn.front, at, width));
    put(this.place, root);
    this.legend(drawn, others);
    this.say();
  }

  chosenPath() {
    const meant = this.page.meant();
    const d = meant ? dots(this.points.filter(point => meant.has(point.trial.number)).map(point => point.at)) : "";
    return element("path", {class: "dots meant", d});
  }

  drawOther(root, others, at) {
    const best = others.filter(point => point.best).sort((a, b) => a.x - b.x);
    root.append(element("path", {class: "dots other", d: dots(best.map(at))}));
    root.append(element("path", {class: "steps other", d: this.stepsPath(best, at, this.scales.across)}));
  }

  drawConstraint(root, across, height) {
    const bound = /<=?\s*([\d.eE+]+)/.exec(this.model.study.constraints[this.cost] || "");
    const x = bound ? across.place(Number(bound[1])) : NaN;
    if (!(x >= across.from && x <= across.to)) return;
    root.append(element("path", {class: "constraint", d: `M${x} 16V${height - 46}`}));
    root.append(element("text", {class: "tick end", x: x - 6, y: 28}, `constraint: ${count(Number(bound[1]))}`));
  }

  // The best that can be had within a budget: steps, down to the right.
  stepsPath(points, at, across) {
    const places = this.edge(points).map(at);
    if (!places.length) return "";
    const steps = places.map(([x, y], place) => place ? `H${x.toFixed(1)}V${y.toFixed(1)}` : `M${x.toFixed(1)} ${y.toFixed(1)}`);
    return `${steps.join("")}H${across.to}`;
  }

  edge(points) {
    const least = this.model.axis[this.quality].least, sorted = [...points].sort((a, b) => a.x - b.x || (least ? a.y - b.y : b.y - a.y));
    let best = least ? Infinity : -Infinity;
    return sorted.filter(point => (least ? point.y < best : point.y > best) && ((best = point.y), true));
  }

  mark(point, [x, y], lie, up) {
    const {trial} = point, told = this.told(trial).join(", ");
    const made = element("g", {class: "mark", tabindex: 0, role: "button", "aria-label": told, "data-key": `f${trial.number}`, "data-trial": trial.number});
    if (trial.ends && trial.ends[0] !== null) made.append(element("path", {class: "ends", d: `M${x} ${up.place(lie(trial.ends[0]))}V${up.place(lie(trial.ends[1]))}`}));
    made.append(element("circle", {cx: x, cy: y, r: 6, class: "front"}));
    made.addEventListener("keydown", event => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), this.page.open(trial.number)));
    made.addEventListener("focus", () => showTip(this.told(trial), ...this.screen(x, y)));
    made.addEventListener("blur", hideTip);
    return made;
  }

  // Names where they fit: below a mark, over no other mark and no other name.
  labels(points, at, width) {
    const marks = points.map(at), taken = [];
    return points.map((point, place) => ({text: point.trial.name, at: marks[place]})).sort((a, b) => a.at[0] - b.at[0]).flatMap(({text, at: [x, y]}) => {
      const box = [x + 8, y + 5, x + 12 + text.length * 6.2, y + 21];
      const hits = ([a, b]) => a > box[0] - 7 && a < box[2] + 7 && b > box[1] - 7 && b < box[3] + 7;
      const overlaps = other => other[0] < box[2] && other[2] > box[0] && other[1] < box[3] && other[3] > box[1];
      if (box[2] > width - 8 || box[3] > this.scales.height - 48 || marks.some(mark => (mark[0] !== x || mark[1] !== y) && hits(mark)) || taken.some(overlaps)) return [];
      taken.push(box);
      return [element("text", {class: "label halo", x: x + 9, y: y + 17, "aria-hidden": "true"}, text)];
    });
  }

  // Rings around what is new, each once.
  rings(at, drawn) {
    const now = Date.now(), shown = new Map(Object.values(drawn).flat().map(point => [point.trial.number, point]));
    for (const each of this.model.fresh) if (shown.has(each) && ["front", "dominated"].includes(this.model.kind(shown.get(each).trial)) && !this.marked.has(each)) this.marked.set(each, now + FADE_MS);
    this.model.fresh.clear();
    return [...this.marked].filter(([each, until]) => until > now && shown.has(each)).map(([each]) => {
      const [cx, cy] = at(shown.get(each));
      return element("circle", {cx, cy, r: 11, class: "new", "data-new": each});
    });
  }

  drawLine() {
    const group = element("g", {class: "budget", id: "budget-line", role: "slider", tabindex: 0, "data-key": "budget", "aria-label": `my budget of ${this.cost}`});
    group.append(element("path", {class: "grip"}), element("path", {class: "rule"}), element("circle", {class: "knob", r: 8}), element("text", {class: "tick", y: 12}));
    group.addEventListener("pointerdown", event => this.grab(event, group));
    group.addEventListener("keydown", event => this.key(event));
    this.line = group;
    this.moveLine();
    return group;
  }

  moveLine() {
    if (!this.line || this.limit === null) return;
    const {across, height} = this.scales, x = Math.min(Math.max(across.place(this.limit), across.from), across.to);
    this.line.querySelectorAll("path").forEach(path => path.setAttribute("d", `M${x} 16V${height - 46}`));
    const knob = this.line.querySelector("circle"), text = this.line.querySelector("text"), late = x > (across.from + across.to) / 2;
    knob.setAttribute("cx", x);
    knob.setAttribute("cy", height - 46);
    text.setAttribute("x", late ? x - 8 : x + 8);
    text.setAttribute("class", late ? "tick end" : "tick");
    text.textContent = `my budget: ${this.typed()}`;
    const [low, high] = across.ends;
    const told = {"aria-valuemin": Math.round(low), "aria-valuemax": Math.round(high), "aria-valuenow": Math.round(this.limit), "aria-valuetext": this.answer.textContent};
    Object.entries(told).forEach(([name, value]) => this.line.setAttribute(name, value));
  }

  grab(event, group) {
    event.preventDefault();
    group.focus();
    this.dragged = true;
    const move = each => {
      const box = this.place.getBoundingClientRect(), {across} = this.scales;
      const x = Math.min(Math.max(each.clientX - box.left, across.from), across.to);
      this.set(Number(across.invert(x).toPrecision(3)));
    };
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      this.dragged = false;
      this.draw();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  }

  key(event) {
    const {across} = this.scales, step = (across.ends[1] / across.ends[0]) ** 0.01, bounds = this.model.front.steps[this.cost].map(each => each[0]);
    const moves = {
      ArrowRight: () => this.limit * step, ArrowUp: () => this.limit * step,
      ArrowLeft: () => this.limit / step, ArrowDown: () => this.limit / step,
      PageUp: () => bounds.find(each => each > this.limit) ?? this.limit,
      PageDown: () => bounds.filter(each => each < this.limit).pop() ?? this.limit,
      Home: () => bounds[0], End: () => bounds[bounds.length - 1],
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const exact = /^(Page|Home|End)/.test(event.key), to = moves[event.key]();
    this.set(exact ? to : Math.min(Math.max(Number(to.toPrecision(3)), across.ends[0]), across.ends[1]));
  }

  told(trial) {
    const {model} = this;
    const shown = model.study.axes.filter(axis => axis.name === this.quality || !axis.quality).map(axis => `${value(axis, model.value(trial, axis.name))} ${axis.title}`);
    const how = trial.seeds ? `mean of ${many("seed", trial.seeds)}` : many("epoch", trial.epochs);
    return [`trial ${trial.number}, ${trial.name}`, how, ...shown];
  }

  nearest(event) {
    const box = this.place.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let found = null, least = NEAR ** 2;
    for (const point of this.points || []) {
      const far = (point.at[0] - x) ** 2 + (point.at[1] - y) ** 2;
      if (far < least) [found, least] = [point, far];
    }
    return found;
  }

  hover(event) {
    const found = this.dragged ? null : this.nearest(event);
    this.place.classList.toggle("over", Boolean(found));
    if (found) showTip(this.told(found.trial), event.clientX, event.clientY);
    else hideTip();
  }

  open(event) {
    const found = this.nearest(event);
    if (found && !event.target.closest(".budget")) this.page.open(found.trial.number);
  }

  screen(x, y) {
    const box = this.place.getBoundingClientRect();
    return [box.left + x, box.top + y];
  }

  legend(drawn, others) {
    const {model} = this, full = drawn.front.length + drawn.dominated.length, counts = model.head.counts;
    const parts = full ? [`${many("network", model.front.numbers.length)} on the front of ${full} that were trained in full (${many("epoch", model.study.epochs)})`] : [];
    if (drawn.running.length) parts.push(`${many("trial", drawn.running.length)} on the way (${drawn.running.length === 1 ? "a green dot" : "green dots"})`);
    if (counts.stopped) parts.push(`${counts.stopped} stopped early ${document.getElementById("show-stopped").checked ? "(squares: after fewer epochs)" : "are not drawn"}`);
    if (this.beyond) parts.push(`${this.beyond} of them too bad for this axis lie on its edge`);
    const bounds = Object.entries(model.study.constraints).map(([name, bound]) => `${name} ${bound}`);
    if (bounds.length) parts.push(`every network keeps ${bounds.join(", ")}`);
    if (others.length) parts.push(`dashed: ${this.other.name}`);
    document.getElementById("front-says").textContent = parts.length ? `${parts.join("; ")}.` : "";
  }
}
