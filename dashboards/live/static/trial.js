// All there is to say of one trial: why it ended, its curve, its network as a drawing, its costs, its commands.

import {LEFT, RIGHT, element, html, line, plane, quality, scale, widthOf} from "./svg.js";
import {WHERES} from "./model.js";
import {count, duration, exactly, value} from "./words.js";

export function drawTrial(page, place, told) {
  const {model} = page,
    trial = model.trials.get(told.number);
  const close = html("button", {type: "button"}, "close");
  close.addEventListener("click", () => page.close());
  const state = model.best.has(told.number) ? "on the Pareto front" : WHERES[trial.where];
  place.replaceChildren(
    html("h2", {id: "trial-title"}, (told.star ? "\u2605 " : "") + told.title),
    html(
      "p",
      {class: "strong"},
      `${state}, ${trial.epochs} of ${model.study.epochs} epochs, ${duration(trial.seconds)} of training${told.attempts ? `, tried again ${told.attempts} times` : ""}`,
    ),
    html("p", {}, told.line),
    ...why(told),
    ...(page.acts ? page.acts.ofTrial(told) : []),
    close,
    html("h3", {}, "The network"),
    ...(told.stages.length ? [drawing(told.stages)] : []),
    list(told.costs),
    ...weights(told.weights),
    ...(told.yaml ? [html("h3", {}, "As YAML"), ...yaml(told.yaml)] : []),
    ...(told.commands.length ? [html("h3", {}, "What to do with it")] : []),
    ...told.commands.flatMap(each => [
      html("p", {}, `${each.what}:`),
      html("pre", {tabindex: 0, role: "region", "aria-label": each.what}, each.line),
    ]),
    html("h3", {}, "Its epochs"),
    ...curve(model, place, told),
    epochs(model, told),
    ...(told.events.length ? [html("h3", {}, "What happened to it"), happened(told.events)] : []),
  );
}

function why(told) {
  const found = told.why ? [html("p", {class: "message"}, [told.why, told.help].filter(Boolean).join("; "))] : [];
  if (told.log)
    found.push(
      html(
        "details",
        {},
        html("summary", {}, "the failure's log"),
        html("pre", {tabindex: 0, role: "region", "aria-label": "the failure's log"}, told.log),
      ),
    );
  return found;
}

function weights(found) {
  if (!found) return [];
  const told = found.href ? html("a", {href: found.href}, found.text) : html("code", {}, found.text);
  return [html("p", {}, "its weights: ", told)];
}

// What was chosen, to be pasted into a study's file.
function yaml(text) {
  const shown = html("pre", {tabindex: 0, role: "region", "aria-label": "what was chosen, as YAML"}, text);
  const copy = html("button", {type: "button", "data-copy": ""}, "copy as YAML");
  copy.addEventListener("click", async () => {
    copy.textContent = (await copied(text, shown)) ? "copied" : "marked: copy it by the keyboard";
  });
  return [shown, copy];
}

// Put a text where it can be pasted from; where a browser lets nobody do so, mark it.
async function copied(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return document.execCommand("copy");
  }
}

// Stages as boxes: as wide as they have blocks, as high as they have channels.
function drawing(stages) {
  const most = Math.max(...stages.map(stage => stage.width)),
    widths = stages.map(stage => 56 + 22 * Math.min(stage.blocks, 12));
  const total = widths.reduce((a, b) => a + b, 0) + 18 * (stages.length - 1) + 2;
  const told = stages.map(
    stage =>
      `${stage.name}: ${stage.blocks > 1 ? `${stage.blocks} times ` : ""}${stage.kind}, ${stage.width} ${stage.name === "head" ? "classes" : "channels"}${stage.stride > 1 ? `, stride ${stage.stride}` : ""}`,
  );
  const root = element("svg", {
    width: total,
    height: 150,
    viewBox: `0 0 ${total} 150`,
    role: "img",
    "aria-label": told.join("; "),
    class: "network",
  });
  let x = 1;
  stages.forEach((stage, place) => {
    const height = 24 + 56 * Math.sqrt(stage.width / most),
      y = 56 - height / 2 + 8;
    if (place) root.append(element("path", {class: "arrow", d: `M${x - 17} 64h14m-4 -4l4 4l-4 4`}));
    for (let block = 0; block < Math.min(stage.blocks, 12); block += 1)
      root.append(element("rect", {class: "block", x: x + 28 + 22 * block, y, width: 18, height, rx: 2}));
    const middle = x + widths[place] / 2;
    [
      stage.name,
      `${stage.kind}${stage.blocks > 12 ? ` x${stage.blocks}` : ""}`,
      `${stage.width}${stage.stride > 1 ? `, /${stage.stride}` : ""}`,
    ].forEach((text, row) => root.append(element("text", {class: "tick middle", x: middle, y: 116 + 14 * row}, text)));
    x += widths[place] + 18;
  });
  const convolutions = stages.filter(stage => stage.convolutions).map(stage => stage.convolutions);
  const same =
    new Set(convolutions).size === 1
      ? `Each block: ${convolutions[0]}.`
      : stages
          .filter(stage => stage.convolutions)
          .map(stage => `${stage.name}: ${stage.convolutions}`)
          .join("; ");
  return html(
    "figure",
    {},
    html("div", {class: "wide", tabindex: 0, role: "region", "aria-label": "the network as a drawing"}, root),
    html("figcaption", {}, same),
  );
}

function list(pairs) {
  return html(
    "dl",
    {class: "facts"},
    ...pairs.map(([name, text]) => html("div", {}, html("dt", {}, name), html("dd", {}, text))),
  );
}

function curve(model, place, told) {
  const shares = told.epochs
    .map(each => [each.epoch, each.metrics[model.study.curve.name]])
    .filter(([, share]) => share !== undefined);
  if (shares.length < 2) return [];
  const width = Math.min(widthOf(place), 620),
    height = 220,
    title = model.study.curve.title;
  const up = quality(
    {rate: true, title},
    shares.map(([, share]) => share),
    height,
  );
  const across = scale([1, model.study.epochs], [LEFT, width - RIGHT], {whole: true});
  const root = plane({width, height, across: {scale: across, title: "epochs trained", write: String}, up});
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", `${model.study.curve.title} by epoch; the numbers are in the table below`);
  root.append(
    element("path", {
      class: "curve front",
      d: line(shares.map(([epoch, share]) => [across.place(epoch), up.at(share)])),
    }),
  );
  return [root];
}

function shown(model, name, number) {
  if (number === undefined) return "–";
  if (model.axis[name]?.rate) return value(model.axis[name], number);
  return name.endsWith("_bytes") ? `${count(number)}B` : String(number);
}

function epochs(model, told) {
  if (!told.epochs.length) return html("p", {}, "None has been measured yet.");
  const names = [...new Set(told.epochs.flatMap(each => Object.keys(each.metrics)))];
  const timed = told.epochs.some(each => each.seconds !== undefined);
  const head = ["epoch", ...names, ...(timed ? ["seconds", "where"] : [])].map(name =>
    html("th", {scope: "col", class: name === "where" ? "" : "number"}, name),
  );
  const rows = told.epochs.map(each =>
    html(
      "tr",
      {},
      ...[
        each.epoch,
        ...names.map(name => shown(model, name, each.metrics[name])),
        ...(timed ? [each.seconds] : []),
      ].map(cell => html("td", {class: "number"}, String(cell))),
      ...(timed ? [html("td", {}, each.where || "–")] : []),
    ),
  );
  return html(
    "div",
    {class: "wide", tabindex: 0, role: "region", "aria-label": "epochs of this trial"},
    html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows)),
  );
}

function happened(events) {
  return html(
    "ol",
    {class: "happened"},
    ...events.map(event => html("li", {}, html("time", {}, exactly(event.at)), ` ${event.text}`)),
  );
}
