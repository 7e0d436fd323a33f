// Every trial's accuracy by epoch: a line for each where they are few, else how the many are spread, the front on top.

import {asTable} from "./data.js";
import {LEFT, LOW, RIGHT, TOP, element, html, line, plane, put, quality, scale, widthOf} from "./svg.js";
import {percent} from "./words.js";

export const CROWD = 300; // more curves than this would hide each other
const KINDS = ["failed", "running", "stopped", "dominated", "front"];
const SHARES = [0.05, 0.25, 0.5, 0.75, 0.95]; // quantiles that are told of many
const LEAST = 8; // curves at an epoch, of which quantiles are told

export function drawCurves(page, place) {
  const {model} = page,
    {study} = model,
    width = widthOf(place),
    height = 320,
    meant = page.meant();
  const curves = [...model.trials.values()]
    .map(trial => ({
      trial,
      kind: model.kind(trial),
      shares: trial.curve.map(step => (step === null ? null : step / study.curve.steps)),
    }))
    .filter(each => each.shares.some(share => share !== null));
  if (!curves.length) {
    put(place);
    return;
  }
  const crowd = curves.length > CROWD,
    spread = crowd ? quantiles(curves) : [];
  const strong = each => each.kind === "front" || meant?.has(each.trial.number);
  const alone = spread.length ? curves.filter(strong) : curves;
  const shown = [...alone.flatMap(each => each.shares), ...spread.flatMap(each => each.found)];
  const up = quality({rate: true, title: study.curve.title}, shown, height);
  const across = scale([1, study.epochs], [LEFT, width - RIGHT], {log: study.epochs > 30, whole: true});
  const root = plane({width, height, across: {scale: across, title: "epochs trained", write: String}, up});
  root.setAttribute("aria-label", `learning curves of ${curves.length} trials`);
  root.setAttribute("role", "img");
  root.append(...rungs(study.rungs, across, height), ...bands(spread, across, up));
  const path = each =>
    line(
      each.shares
        .map((share, epoch) => (share === null ? null : [across.place(epoch + 1), up.at(share)]))
        .filter(Boolean),
    );
  const once = each => each.shares.filter(share => share !== null).length === 1;
  const draw = (found, name) => {
    const points = found.filter(once);
    root.append(
      element("path", {class: `curve ${name}`, d: found.filter(each => !once(each)).map(path).join("")}),
      ...(points.length
        ? [element("path", {class: `curve ${name} once`, d: points.map(each => `${path(each)}h0`).join("")})]
        : []),
    );
  };
  for (const kind of KINDS)
    draw(
      (spread.length ? alone : curves).filter(each => each.kind === kind),
      `${kind}${meant ? " faint" : ""}`,
    );
  if (meant)
    draw(
      curves.filter(each => meant.has(each.trial.number)),
      "meant",
    );
  put(place, root, said(spread, curves.length), table(place, spread.length ? spread : quantiles(curves, 1)));
}

function rungs(epochs, across, height) {
  const made = [];
  let free = 0;
  for (const rung of epochs) {
    const x = across.place(rung);
    made.push(element("path", {class: "constraint", d: `M${x} ${TOP}V${height - LOW}`}));
    if (x < free) continue;
    free = x + 50;
    made.push(element("text", {class: "tick halo", x: x + 4, y: 26}, `rung ${rung}`));
  }
  return made;
}

// How curves are spread at each epoch that enough of them have come to.
function quantiles(curves, least = LEAST) {
  const found = [],
    most = curves.reduce((longest, each) => Math.max(longest, each.shares.length), 0);
  for (let epoch = 1; epoch <= most; epoch += 1) {
    const there = curves.map(each => each.shares[epoch - 1] ?? null).filter(share => share !== null);
    if (there.length < least) continue;
    there.sort((a, b) => a - b);
    found.push({epoch, many: there.length, found: SHARES.map(share => quantile(there, share))});
  }
  return found;
}

function quantile(sorted, share) {
  const at = share * (sorted.length - 1),
    low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

function bands(spread, across, up) {
  if (!spread.length) return [];
  const wide = spread.length > 1 ? 0 : 6; // pixels to either side, where one epoch is all there is
  const side = place =>
    spread.flatMap(({epoch, found}) => {
      const [x, y] = [across.place(epoch), up.at(found[place])];
      return wide ? [[x - wide, y], [x + wide, y]] : [[x, y]]; // prettier-ignore
    });
  const band = (low, high, name) =>
    element("path", {class: `band ${name}`, d: `${line([...side(low), ...side(high).reverse()])}Z`});
  return [band(0, 4, "outer"), band(1, 3, "inner"), element("path", {class: "curve median", d: line(side(2))})];
}

function said(spread, many) {
  const words = `Bands: nine in ten and the middle half of ${many.toLocaleString("en")} trials, as far as they came; the
    median as a line. On top: the front.`;
  return spread.length ? html("p", {class: "caption"}, words) : "";
}

function table(place, spread) {
  const columns = [
    "epoch",
    "trials",
    ...SHARES.map(share => (share === 0.5 ? "median" : `${100 * share} % of them below`)),
  ];
  return asTable(place, "Learning curves", columns, () =>
    spread.map(({epoch, many, found}) => [epoch, many, ...found.map(percent)]),
  );
}

// The curve of one trial in a small box, for a table.
export function spark(model, curve) {
  const shares = curve.filter(step => step !== null),
    made = element("svg", {width: 110, height: 26, viewBox: "0 0 110 26", class: "spark", role: "img"});
  if (!shares.length) {
    made.setAttribute("aria-label", "nothing measured yet");
    return made;
  }
  const low = Math.min(...shares),
    high = Math.max(...shares, low + 1),
    most = Math.max(model.study.epochs - 1, 1);
  const at = (step, epoch) => [4 + (102 * epoch) / most, 22 - (18 * (step - low)) / (high - low)];
  const places = curve.map((step, epoch) => (step === null ? null : at(step, epoch))).filter(Boolean);
  made.append(element("path", {class: "curve running", d: `${line(places)}h0`}));
  made.setAttribute(
    "aria-label",
    `from ${percent(shares[0] / model.study.curve.steps)} to ${percent(shares[shares.length - 1] / model.study.curve.steps)}`,
  );
  return made;
}
