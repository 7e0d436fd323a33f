// What the page knows of a study: its trials by number, brought up to date by what the server tells.

import {value} from "./words.js";

export const WHERES = {
  complete: "fully trained",
  stopped: "stopped",
  failed: "failed",
  outside: "outside of the space",
  training: "training",
  paused: "paused at a rung",
  waiting: "waiting for budget",
  running: "not ended", // in a report, which does not know of what it waits
};

export class Model {
  constructor(told) {
    Object.assign(this, {seq: told.seq, study: told.study, head: told.head, front: told.front, events: told.events});
    this.trials = new Map();
    this.best = new Set(told.front.numbers);
    this.fresh = new Set(); // trials that were told of since the page was drawn last
    this.axis = Object.fromEntries(told.study.axes.map((axis, place) => [axis.name, {...axis, place}]));
    told.rows.forEach(row => this.put(row));
  }

  put(row) {
    const trial = Object.fromEntries(this.study.fields.map((name, place) => [name, row[place]]));
    this.trials.set(trial.number, trial);
    return trial;
  }

  // Take in an update, once: what was heard before changes nothing.
  hear(seq, told) {
    if (seq <= this.seq) return false;
    this.seq = seq;
    this.study.parameters = told.parameters;
    for (const row of told.rows) this.fresh.add(this.put(row).number);
    const known = this.events.length ? this.events[this.events.length - 1].seq : -1;
    this.events = [...this.events, ...told.events.filter(event => event.seq > known)].slice(-500);
    if (told.front) {
      this.front = told.front;
      this.best = new Set(told.front.numbers);
    }
    return true;
  }

  value(trial, name) {
    return trial.values[this.axis[name].place];
  }

  // A trial's value in words, with its error as far as that is known.
  text(trial, axis) {
    const ends = axis.name === this.study.planes[0][1] && trial.seeds ? trial.ends || [null] : null;
    return value(axis, this.value(trial, axis.name), ends);
  }

  // What was chosen of a trial's network and recipe, in words.
  chosen(trial) {
    const told = this.study.parameters.map((name, place) => [name, trial.params[place]]);
    return told
      .filter(([, each]) => each !== null && each !== undefined)
      .map(([name, each]) => `${name} ${Number.isFinite(each) ? Number(each.toPrecision(3)) : each}`)
      .join(", ");
  }

  // front, dominated, stopped, failed or running: how a trial is drawn
  kind(trial) {
    if (trial.where === "complete" || trial.where === "outside")
      return this.best.has(trial.number) ? "front" : "dominated";
    return trial.where === "stopped" || trial.where === "failed" ? trial.where : "running";
  }

  param(trial, name) {
    const place = this.study.parameters.indexOf(name);
    return trial.params[place] ?? null;
  }

  // What `search.pick` answers to `cost <= limit`.
  pick(cost, limit) {
    const steps = this.front.steps[cost] || [];
    const kept = steps.filter(step => step[0] <= limit);
    if (!steps.length) return null;
    if (!kept.length) return {nearest: steps[0]};
    const chosen = kept[kept.length - 1],
      quality = this.quality(chosen);
    return {chosen, more: steps.slice(kept.length).find(step => this.quality(step) < quality)};
  }

  // How good a step's network is, the less the better.
  quality(step) {
    const name = this.study.planes[0][1],
      found = this.value(this.trials.get(step[1]), name);
    if (found === null) return Infinity;
    return this.axis[name].least ? found : -found;
  }
}

const BOUND = /^([\w]+)(<=|>=|<|>|=)(.+)$/;

// Return whether a trial is meant by the words and bounds of a filter.
export function filter(model, text, number) {
  const tests = text
    .split(/\s+/)
    .filter(Boolean)
    .map(word => {
      const found = BOUND.exec(word);
      return found ? bound(model, found, number) : trial => words(trial).includes(word.toLowerCase());
    });
  return trial => tests.every(test => test(trial));
}

const words = trial =>
  `${trial.number} ${trial.name} ${trial.where} ${WHERES[trial.where]} ${trial.kind}`.toLowerCase();

function bound(model, [, name, sign, text], number) {
  const limit = number(text);
  const of = trial => {
    if (name in model.axis) return model.value(trial, name);
    if (name === "epochs" || name === "trial" || name === "seconds") return trial[name === "trial" ? "number" : name];
    return model.param(trial, name);
  };
  const compare = {"<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "<": (a, b) => a < b, ">": (a, b) => a > b};
  return trial => {
    const found = of(trial);
    if (found === null || found === undefined) return false;
    if (sign === "=") return String(found) === text || (limit !== null && found === limit);
    return limit !== null && typeof found === "number" && compare[sign](found, limit);
  };
}
