// Numbers as people read them; the same rules as search/core/units.py.

const SUFFIXES = ["", "k", "M", "G", "T", "P"];

export function count(value) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 999.5) return String(Number(value.toPrecision(3)));
  let power = Math.min(Math.floor(Math.log10(size) / 3), SUFFIXES.length - 1);
  if (power + 1 < SUFFIXES.length && size / 1000 ** power >= 999.5) power += 1;
  const scaled = value / 1000 ** power;
  const decimals = Math.abs(scaled) < 9.995 ? 2 : Math.abs(scaled) < 99.95 ? 1 : 0;
  return scaled.toFixed(decimals) + SUFFIXES[power];
}

export function percent(share) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(2)} %`;
}

// A share with its error, both to the first digit of the error.
export function share(fraction, error) {
  if (!(error > 0 && isFinite(error))) return percent(fraction);
  const decimals = Math.max(0, -Number((100 * error).toExponential(0).split("e")[1]));
  return `${(100 * fraction).toFixed(decimals)} ± ${(100 * error).toFixed(decimals)} %`;
}

// The error of a value: half of the interval of a mean, and of one run the standard error of a share of so many images.
function error(axis, number, ends) {
  if (ends && ends[0] !== null) return Math.max(ends[1] - number, number - ends[0]);
  if (ends || !axis.images || axis.images < 2) return NaN;
  const kept = Math.min(Math.max(number, 1 / axis.images), 1 - 1 / axis.images);
  return Math.sqrt((kept * (1 - kept)) / axis.images);
}

export function value(axis, number, ends = null) {
  if (number === null || number === undefined) return "–";
  if (axis.rate) return share(number, error(axis, number, ends));
  return axis.static || axis.unit === "bytes" ? count(number) : number.toFixed(4);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 59.95) return seconds < 0.995 ? `${seconds.toFixed(2)} s` : `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds),
    two = number => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.round(whole / 3600);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

// A time that is guessed: two digits at most.
export function roughly(seconds) {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  const hours = seconds / 3600;
  return hours < 47.5
    ? `${hours < 9.5 ? Number(hours.toFixed(1)) : Math.round(hours)} h`
    : `${Number((hours / 24).toFixed(1))} d`;
}

export function range(low, high) {
  const [a, b] = [roughly(low), roughly(high)];
  if (a === b) return `about ${a}`;
  const [, unitA] = a.split(" "),
    [numberB, unitB] = b.split(" ");
  return unitA === unitB ? `${a.split(" ")[0]} to ${numberB} ${unitB}` : `${a} to ${b}`;
}

export function clock(seconds, now = Date.now()) {
  const moment = new Date(1000 * seconds),
    far = Math.abs(1000 * seconds - now) > 20 * 3600 * 1000;
  const time = {hour: "2-digit", minute: "2-digit"};
  return moment.toLocaleString([], far ? {...time, day: "numeric", month: "short"} : time);
}

export function exactly(seconds) {
  return new Date(1000 * seconds).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit"});
}

export function many(noun, number) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

// A number as it can be typed again: short where nothing is lost by it.
export function exact(limit) {
  const short = count(limit)
    .replace(/(\.\d*?)0+(?=[kMGTP]?$)/, "$1")
    .replace(/\.(?=[kMGTP]?$)/, "");
  return number(short) === limit ? short : String(limit);
}

// "200k" as a number, or null: what search.pick takes behind `<=`.
export function number(text) {
  const found = /^\s*([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*([kKMG%]?)\s*$/.exec(text);
  if (!found) return null;
  const units = {"": 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, "%": 0.01};
  return Number(found[1] + (found[2] || "")) * units[found[3]];
}
