// Every trial's accuracy by epoch, in one path for each kind; rungs as dashed lines; what is chosen on top.

import {LEFT, LOW, RIGHT, TOP, element, line, plane, put, quality, scale, widthOf} from "./svg.js";
import {percent} from "./words.js";

export const CROWD = 300; // more curves than this are drawn fainter, for the front to stand out
const KINDS = ["failed", "running", "stopped", "dominated", "front"];

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
  const up = quality(
    {rate: true, title: study.curve.title},
    curves.flatMap(each => each.shares),
    height,
  );
  const across = scale([1, study.epochs], [LEFT, width - RIGHT], {log: study.epochs > 30, whole: true});
  const root = plane({width, height, across: {scale: across, title: "epochs trained", write: String}, up});
  root.setAttribute("aria-label", `learning curves of ${curves.length} trials`);
  root.setAttribute("role", "img");
  let free = 0;
  for (const rung of study.rungs) {
    const x = across.place(rung);
    root.append(element("path", {class: "constraint", d: `M${x} ${TOP}V${height - LOW}`}));
    if (x < free) continue;
    free = x + 50;
    root.append(element("text", {class: "tick halo", x: x + 4, y: 26}, `rung ${rung}`));
  }
  const path = each =>
    line(
      each.shares
        .map((share, epoch) => (share === null ? null : [across.place(epoch + 1), up.at(share)]))
        .filter(Boolean),
    );
  const single = each => (each.shares.filter(share => share !== null).length === 1 ? `${path(each)}h0` : path(each));
  for (const kind of KINDS)
    root.append(
      element("path", {
        class: `curve ${kind}${meant ? " faint" : curves.length > CROWD && kind !== "front" ? " crowd" : ""}`,
        d: curves
          .filter(each => each.kind === kind)
          .map(single)
          .join(""),
      }),
    );
  if (meant)
    root.append(
      element("path", {
        class: "curve meant",
        d: curves
          .filter(each => meant.has(each.trial.number))
          .map(single)
          .join(""),
      }),
    );
  put(place, root);
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
