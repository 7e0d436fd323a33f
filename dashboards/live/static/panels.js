// What stands around the figures: how far the study is, what trains, who goes on, what happened, other studies.

import {spark} from "./curves.js";
import {html, put} from "./svg.js";
import {WHERES} from "./model.js";
import {clock, count, duration, exactly, many, percent, range} from "./words.js";

const byId = id => document.getElementById(id);
const PAUSED_MS = 3000; // between two questions
const FEW = 12; // events that are shown at first

export function drawProgress(page) {
  const {model} = page,
    {head} = model,
    bar = byId("bar");
  const most = Math.max(head.planned || 0, head.epochs);
  bar.setAttribute("aria-valuemax", most);
  bar.setAttribute("aria-valuenow", head.epochs);
  bar.firstElementChild.style.width = most ? `${(100 * head.epochs) / most}%` : "0";
  const spent = `${head.epochs.toLocaleString("en")} epochs`;
  const plan =
    head.planned && head.planned >= head.epochs
      ? ` of ${head.at_most ? "at most " : ""}${Math.round(head.planned).toLocaleString("en")} (${Math.round((100 * head.epochs) / most)} %)`
      : "";
  byId("epochs").textContent = [
    `${spent} trained${plan.replace(" of", ", of")}`,
    ...left(head),
    `${duration(head.trained_s)} of training`,
  ].join(" · ");
  bar.setAttribute("aria-valuetext", byId("epochs").textContent);
  const counts = Object.entries(WHERES)
    .filter(([where]) => head.counts[where])
    .map(([where, word]) => `${head.counts[where].toLocaleString("en")} ${word}`);
  const planned = head.trials >= model.trials.size ? ` of ${head.trials.toLocaleString("en")}` : "";
  byId("counts").textContent =
    `${model.trials.size.toLocaleString("en")}${planned} trials begun${counts.length ? `: ${counts.join(", ")}` : ""}; hypervolume ${head.hypervolume.toFixed(3)}`;
}

function left(head) {
  if (head.over) return ["the study is over"];
  if (!head.alive) return [];
  if (!head.left) return ["nobody can tell yet how long it will take"];
  const now = Date.now() / 1000,
    [low, high] = head.left,
    [first, last] = [clock(now + low), clock(now + high)];
  if (high < 1) return ["about to end"];
  return [`${range(low, high)} left`, first === last ? `ends about ${first}` : `ends between ${first} and ${last}`];
}

export function drawWorkers(page) {
  const {model} = page,
    {head} = model,
    alive = head.alive;
  const rows = alive ? head.workers.filter(each => model.trials.has(each.trial)).map(each => worker(page, each)) : [];
  put(document.querySelector("#workers tbody"), ...rows);
  document.querySelector("#workers .wide").hidden = !rows.length;
  byId("workers-shown").textContent = model.study.curve.title.replace("validation ", "");
  byId("workers-none").textContent = rows.length
    ? ""
    : alive
      ? "Nothing trains at this moment."
      : "No launch is running, so nothing trains.";
}

function worker(page, each) {
  const {model} = page,
    trial = model.trials.get(each.trial);
  const open = html(
    "button",
    {type: "button", class: "link", "data-key": `w${trial.number}`, "aria-label": `open trial ${trial.number}`},
    String(trial.number),
  );
  open.addEventListener("click", () => page.open(trial.number));
  const progress = html("progress", {
    max: model.study.epochs,
    value: trial.epochs,
    "aria-label": `epochs of trial ${trial.number}`,
  });
  const where = [each.host, each.device, each.peak_bytes ? `${count(each.peak_bytes)}B at most` : ""]
    .filter(Boolean)
    .join(", ");
  return html(
    "tr",
    {},
    html("td", {}, open, ` ${trial.name}`),
    html("td", {}, progress, ` ${trial.epochs}/${model.study.epochs}`),
    html("td", {}, spark(model, trial.curve)),
    html("td", {class: "number"}, each.epoch_s === null ? "–" : duration(each.epoch_s)),
    html("td", {}, where || "not told yet"),
  );
}

export function drawRungs(page) {
  const {head, study, trials} = page.model,
    all = trials.size || 1;
  put(
    document.querySelector("#rungs tbody"),
    ...head.funnel.map(each => {
      const last = each.epoch === study.epochs;
      const share = html("div", {class: "share"}, html("div"));
      share.firstElementChild.style.width = `${(100 * each.came) / all}%`;
      const cells = last
        ? [html("td", {colspan: 3}, `${each.complete.toLocaleString("en")} fully trained`)]
        : [each.on, each.paused, each.stopped].map(number =>
            html("td", {class: "number"}, number.toLocaleString("en")),
          );
      return html(
        "tr",
        {},
        html("th", {scope: "row"}, many("epoch", each.epoch)),
        html("td", {}, share, ` ${each.came.toLocaleString("en")} (${Math.round((100 * each.came) / all)} %)`),
        ...cells,
        html("td", {class: "number"}, each.failed.toLocaleString("en")),
      );
    }),
  );
}

// Which paused trial goes on next: asked for while it is unfolded, since it takes the server a while.
export async function drawPaused(page) {
  const fold = byId("paused");
  fold.hidden = !page.model.head.counts.paused;
  if (fold.hidden || !fold.open) return;
  if (page.asking) {
    page.askAgain = true;
    return;
  }
  [page.asking, page.askAgain] = [true, false];
  try {
    const {rows} = await (await fetch(`gains?${page.query()}`)).json(),
      {model} = page;
    put(
      fold.querySelector("tbody"),
      ...rows
        .filter(([number]) => model.trials.has(number))
        .map(([number, epoch, gain, each]) => {
          const open = html(
            "button",
            {type: "button", class: "link", "data-key": `p${number}`, "aria-label": `open trial ${number}`},
            String(number),
          );
          open.addEventListener("click", () => page.open(number));
          return html(
            "tr",
            {"data-paused": number},
            html("td", {}, open, ` ${model.trials.get(number).name}`),
            html("td", {}, many("epoch", epoch)),
            html("td", {class: "number"}, percent(gain)),
            html("td", {class: "number"}, `${Math.round((100 * each) / (rows[0][3] || 1))} %`),
          );
        }),
    );
  } catch {
    // the server is away, which the page says elsewhere
  } finally {
    setTimeout(() => {
      page.asking = false;
      if (page.askAgain) drawPaused(page);
    }, PAUSED_MS);
  }
}

export function drawEvents(page) {
  const {events} = page.model,
    shown = page.allEvents ? events : events.filter(event => event.kind !== "measured").slice(-FEW);
  const list = shown.length || !events.length ? shown : events.slice(-FEW);
  put(
    byId("events-list"),
    ...[...list].reverse().map(event => {
      const text = html("span", {title: event.text}, event.text);
      if (event.trial !== null) {
        const open = html(
          "button",
          {type: "button", class: "link", "data-key": `e${event.seq}`},
          `trial ${event.trial}`,
        );
        open.addEventListener("click", () => page.open(event.trial));
        text.replaceChildren(open, event.text.replace(/^trial \d+/, ""));
      }
      return html(
        "li",
        {"data-seq": event.seq, class: event.kind},
        html("time", {datetime: new Date(1000 * event.at).toISOString()}, exactly(event.at)),
        " ",
        text,
      );
    }),
  );
  byId("events-more").hidden = events.length <= FEW;
  byId("events-more").textContent = page.allEvents ? "show fewer" : "show each epoch too";
}

export function drawStudies(page) {
  const names = page.studies.filter(name => name !== page.model.study.name);
  byId("studies").hidden = !names.length;
  document
    .querySelector("#studies ul")
    .replaceChildren(
      ...names.map(name => html("li", {}, html("a", {href: `?study=${encodeURIComponent(name)}`}, name))),
    );
  byId("over-label").hidden = !names.length;
  const choice = byId("over"),
    held = choice.value;
  choice.replaceChildren(
    html("option", {value: ""}, "nothing"),
    ...names.map(name => html("option", {value: name}, name)),
  );
  choice.value = names.includes(held) ? held : "";
}
