"use strict";

// The record: `nodes` in topological order, and the `steps` of backward. Numbers are text that
// Python wrote, a pair of them if there is a short form for the drawing. Nothing is computed here.
const { nodes, steps: backwardSteps } = JSON.parse(document.getElementById("record").textContent);
const root = nodes.length - 1;

// What there is to see: the leaves, each operation, where backward begins, and each of its steps.
const moments = [
  { phase: "forward", show: showLeaves, say: sayLeaves },
  ...nodes.flatMap(({ operands }, node) =>
    operands.length ? [{ phase: "forward", node, show: showOperation, say: sayOperation }] : []
  ),
  { phase: "backward", node: root, show: showSeed, say: saySeed },
  ...backwardSteps.map((step) => (
    { phase: "backward", node: step.node, step, show: showStep, say: sayStep }
  )),
];
const seedAt = moments.findIndex((moment) => moment.phase === "backward");
const computedAt = nodes.map(({ operands }, i) =>
  operands.length ? moments.findIndex(({ node }) => node === i) : 0
);
const nothing = ["", ""];
const secondsPerMoment = 1.8;

let now = 0; // the moment that is shown
let chosen = null; // the number of a node
let timer = null;

const byId = (id) => document.getElementById(id);

// Making elements: their content is text or elements, never markup.

function element(tag, properties = {}, ...content) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}

const name = (i) => element("bdi", {}, nodes[i].name);
const equation = (...content) => element("p", { className: "equation" }, ...content);
const result = (text) => element("span", { className: "result" }, text);
const note = (...content) => element("p", { className: "note" }, ...content);

function joined(items, separator = ", ") {
  return items.flatMap((item, k) => (k ? [separator, item] : [item]));
}

// Formulas

const infix = ["+", "-", "*", "/", "**"];
const inBrackets = (text) => (typeof text === "string" && text.startsWith("-") ? `(${text})` : text);

/** An operation of operands as one would type it, as a list of texts and elements. */
function typed({ op, isOfTable }, operands) {
  const [first, ...rest] = operands;
  const others = rest.map(inBrackets);
  if (infix.includes(op) && others.length === 1) {
    return [op === "**" ? inBrackets(first) : first, ` ${op} `, ...others];
  }
  if (op === "neg" && !others.length) return ["-", inBrackets(first)];
  if (/^\*\*./.test(op) && !others.length) return [inBrackets(first), op];
  if (op === "sum" && isOfTable) return joined([first, ...others], " + ");
  if (op === "dot" && isOfTable) {
    return [first, ...others.flatMap((other, k) => [k % 2 ? " * " : " + ", other])];
  }
  return [`${op}(`, ...joined(operands), ")"];
}

const symbolic = (i) => typed(nodes[i], nodes[i].operands.map(name));
const numeric = (i) => typed(nodes[i], nodes[i].operands.map((j) => nodes[j].data[0]));

/** A formula of the table with what it names put in: operand(j), out, and g. */
function filledIn(formula, node, operand, out, g) {
  const letters = { a: 0, b: 1, c: 2 };
  return formula.split(/\b(out|[abckg])\b/).map((part) => {
    if (part === "out") return out;
    if (part === "g") return g;
    if (part === "k" && node.op.startsWith("**")) return node.op.slice(2);
    return part in letters ? operand(node.operands[letters[part]]) : part;
  });
}

const gradOf = (i) => element("span", {}, name(i), ".grad");

/** The formula of what a node passes to operand k, with names; null if there is none. */
function gradientFormula(i, k) {
  const node = nodes[i];
  if (!node.formulas.length) return null;
  return filledIn(node.formulas[k], node, name, name(i), gradOf(i));
}

// What a moment shows in the panel; each returns a heading and the elements under it.

function staleNote(node) {
  const text = "This is not what the operation gives of these operands now: was a data assigned " +
    "after it was computed?";
  return node.isStale ? [note(text)] : [];
}

function showLeaves() {
  const leaves = nodes.map((node, i) => i).filter((i) => !nodes[i].operands.length);
  const some = leaves.slice(0, 24).map((i) => element("span", {}, name(i), ` = ${nodes[i].data[0]}`));
  const more = leaves.length - some.length;
  return [
    ["The leaves"],
    note("The numbers that the graph starts from."),
    equation(...joined(some), ...(more ? [` and ${more} more`] : [])),
  ];
}

function showOperation({ node: i }) {
  return [
    ["Forward: ", name(i)],
    equation(name(i), " = ", ...symbolic(i)),
    equation("= ", ...numeric(i), " → ", result(nodes[i].data[0])),
    ...staleNote(nodes[i]),
  ];
}

function showSeed() {
  return [
    ["Backward begins at ", name(root)],
    equation(gradOf(root), " = ", result("1.0")),
    note("A nudge of ", name(root), " moves ", name(root), " by as much. Every other grad is 0.0, ",
      "and becomes the derivative of ", name(root), " with respect to its node."),
  ];
}

function showStep({ step }) {
  const i = step.node;
  return [
    ["Backward through ", name(i)],
    equation(name(i), " = ", ...symbolic(i)),
    equation(gradOf(i), ` = ${step.grad}`),
    element("ul", {}, ...step.changes.map((change) => element("li", {}, changed(step, change)))),
  ];
}

/** A grad that a step changes: the local derivative, the product, and the sum. */
function changed({ node, grad }, { node: operand, before, added, after }) {
  const rows = [];
  const add = (term, ...content) =>
    rows.push(element("dt", {}, term), element("dd", {}, ...content));
  for (const [k, product] of added) {
    const slope = nodes[node].slopes[k];
    const formula = gradientFormula(node, k);
    add("local derivative", element("code", {}, slope));
    add("product", equation(...(formula ? [...formula, " = "] : []),
      `${slope} · ${inBrackets(grad)} = `, result(product)));
  }
  if (!added.length) add("product", "not known: the operation has a _backward of its own");
  const terms = added.map(([, product]) => ` + ${inBrackets(product)}`);
  add(gradOf(operand), equation(before, ...terms, " → ", result(after[0])));
  return element("dl", {}, ...rows);
}

// The same in a sentence, for who listens.

const plain = (content) => content.map((x) => x.textContent ?? x).join("");

function sayLeaves() {
  return "The leaves have their data.";
}

function sayOperation({ node: i }) {
  return `Forward: ${nodes[i].name} = ${plain(symbolic(i))}, which is ${nodes[i].data[0]}.`;
}

function saySeed() {
  return `Backward begins: the grad of ${nodes[root].name} is 1.0.`;
}

function sayStep({ step }) {
  const sums = step.changes.map(({ node, before, added, after }) => {
    const terms = added.map(([, product]) => ` + ${product}`);
    return `the grad of ${nodes[node].name}: ${before}${terms.join("")} → ${after[0]}`;
  });
  return `Backward through ${nodes[step.node].name}: ${sums.join("; ")}.`;
}

// What has become of the nodes by a moment

const isComputed = (i) => now >= computedAt[i];

/** The grad of each node, nothing before backward begins. */
function gradsNow() {
  if (now < seedAt) return nodes.map(() => nothing);
  const grads = nodes.map((_, i) => (i === root ? ["1.0", "1.0000"] : ["0.0", "0.0000"]));
  for (const { step } of moments.slice(seedAt + 1, now + 1)) {
    for (const { node, after } of step.changes) grads[node] = after;
  }
  return grads;
}

// The drawing: the n-th node is titled n, its operation nop, an edge from->to.

const drawing = byId("drawing");
const svg = drawing.querySelector("svg");
const boxes = [];
const ovals = [];
const edges = [];

function prepareDrawing() {
  for (const title of [...svg.querySelectorAll("title")]) {
    const group = title.parentNode;
    const [from, to] = title.textContent.split("->");
    const isOperation = from.endsWith("op");
    if (to !== undefined) {
      edges.push({ group, of: parseInt(to, 10) });
    } else if (group.classList.contains("node")) {
      (isOperation ? ovals : boxes)[parseInt(from, 10)] = group;
      group.classList.add(isOperation ? "operation" : "value");
      group.addEventListener("click", () => choose(parseInt(from, 10)));
    }
    title.remove();
  }
  boxes.forEach((box, i) => {
    box.setAttribute("role", "button");
    box.dataset.node = i;
    const [label] = box.querySelectorAll("text");
    label.classList.add("label");
    label.classList.toggle("unnamed", !nodes[i].label.trim());
    write(i, 0, nodes[i].name);
    box.addEventListener("focus", () => box.matches(":focus-visible") && choose(i));
  });
  ovals.forEach((oval, i) => { oval.querySelector("text").textContent = nodes[i].op; });
  const { width } = svg.viewBox.baseVal; // in points, of which the letters are 14 high
  svg.style.width = `max(var(--least) * ${width}px, min(100%, ${1.25 * width}px))`;
  svg.style.height = "auto";
}

/** Write into a field of a box, narrower if it is too long for it. */
function write(i, field, text) {
  const box = boxes[i];
  const written = box.querySelectorAll("text")[field];
  if (written.textContent === text) return;
  const walls = [...box.querySelectorAll("polygon, polyline")].flatMap((shape) =>
    [...shape.points].map((point) => point.x)
  );
  const bounds = [...new Set(walls)].sort((x, y) => x - y);
  const room = bounds[field + 1] - bounds[field] - 8;
  written.textContent = text;
  written.removeAttribute("textLength");
  if (written.getComputedTextLength() > room) {
    written.setAttribute("textLength", room);
    written.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
}

function draw(moment, grads) {
  const changes = moment.step ? moment.step.changes.map((change) => change.node) : [];
  const operands = moment.node === undefined ? [] : nodes[moment.node].operands;
  const isFlowing = moment.show === showOperation || moment.show === showStep;
  drawing.dataset.phase = moment.phase;
  boxes.forEach((box, i) => {
    const computed = isComputed(i);
    const data = computed ? nodes[i].data : nothing;
    write(i, 1, `data ${data[1]}`);
    write(i, 2, `grad ${grads[i][1]}`);
    const [, dataText, gradText] = box.querySelectorAll("text");
    dataText.classList.toggle("changed", moment.phase === "forward" && i === moment.node);
    gradText.classList.toggle("changed",
      changes.includes(i) || (moment.show === showSeed && i === root));
    box.classList.toggle("waiting", !computed);
    box.classList.toggle("active", i === moment.node);
    box.classList.toggle("touched", operands.includes(i) || changes.includes(i));
    box.classList.toggle("chosen", i === chosen);
    box.setAttribute("aria-pressed", i === chosen);
    box.setAttribute("aria-label",
      `${nodes[i].name}: ${computed ? `data ${data[0]}` : "no data yet"}` +
      (grads[i][0] ? `, grad ${grads[i][0]}` : ""));
    box.setAttribute("tabindex", i === (chosen ?? moment.node ?? root) ? 0 : -1);
  });
  ovals.forEach((oval, i) => {
    oval.classList.toggle("waiting", !isComputed(i));
    oval.classList.toggle("active", isFlowing && i === moment.node);
  });
  for (const edge of edges) {
    edge.group.classList.toggle("waiting", !isComputed(edge.of));
    edge.group.classList.toggle("flow", isFlowing && edge.of === moment.node);
  }
}

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Scroll the drawing, and nothing else, so that these nodes are seen, the first above all. */
function reveal(...seen) {
  const frame = drawing.getBoundingClientRect();
  const rects = seen.map((i) => boxes[i].getBoundingClientRect());
  const away = (from, to) => {
    const all = {
      [from]: Math.min(...rects.map((rect) => rect[from])),
      [to]: Math.max(...rects.map((rect) => rect[to])),
    };
    const shown = all[to] - all[from] <= frame[to] - frame[from] ? all : rects[0];
    const isSeen = shown[from] >= frame[from] && shown[to] <= frame[to];
    return isSeen ? 0 : (shown[from] + shown[to] - frame[from] - frame[to]) / 2;
  };
  drawing.scrollBy({
    left: away("left", "right"),
    top: away("top", "bottom"),
    behavior: calm.matches ? "instant" : "smooth",
  });
}

// The chosen node

function showNode(grads) {
  if (chosen === null) {
    return [note("Choose a node in the drawing for its formula and its numbers.")];
  }
  const node = nodes[chosen];
  const computed = isComputed(chosen);
  const pairs = [];
  const add = (term, ...content) => pairs.push(element("dt", {}, term), element("dd", {}, ...content));
  if (node.label && node.label !== node.name) add("label", element("bdi", {}, node.label));
  if (node.op) add("operation", element("bdi", {}, node.op));
  if (node.operands.length) {
    add("formula", equation(...typed(node, node.operands.map(link))),
      ...(computed ? [equation("= ", ...numeric(chosen))] : []), ...staleNote(node));
  }
  add("data", element("code", {}, computed ? node.data[0] : "not yet"));
  if (grads[chosen][0]) add("grad", element("code", {}, grads[chosen][0]), ...sources(chosen));
  if (node.operands.length) add("passes on", ...passesOn(chosen));
  const users = nodes.map((_, i) => i).filter((i) => nodes[i].operands.includes(chosen));
  if (users.length) add("is used by", ...joined(users.map(link)));
  return [element("h2", {}, name(chosen)), element("dl", {}, ...pairs)];
}

function link(i) {
  const follow = () => {
    choose(i);
    boxes[i].focus({ preventScroll: true }); // the link goes, and its focus must not
  };
  return element("button", { className: "link", onclick: follow }, nodes[i].name);
}

/** What has been added to a grad so far, and by which node. */
function sources(i) {
  return moments.slice(seedAt + 1, now + 1).flatMap(({ step }) =>
    step.changes.filter((change) => change.node === i).map((change) =>
      equation("from ", link(step.node), ": ",
        ...change.added.map(([, product]) => `+ ${inBrackets(product)} `), "→ ", change.after[0])
    )
  );
}

/** The gradient that a node passes to each operand: the formula of the table, the slope. */
function passesOn(i) {
  const node = nodes[i];
  if (!node.slopes.length) return ["what its own _backward adds"];
  return node.operands.map((j, k) => {
    const formula = gradientFormula(i, k);
    return equation("to ", link(j), ": ",
      ...(formula ?? [node.slopes[k], " · ", gradOf(i)]),
      ...(formula ? [`, local derivative ${node.slopes[k]}`] : []));
  });
}

// Moving about

function show() {
  const moment = moments[now];
  const grads = gradsNow();
  const [heading, ...content] = moment.show(moment);
  document.documentElement.dataset.phase = moment.phase;
  byId("step").replaceChildren(element("h2", {}, ...heading), ...content);
  byId("node").replaceChildren(...showNode(grads));
  byId("said").textContent = `Step ${now + 1} of ${moments.length}. ${moment.say(moment)}`;
  byId("counter").replaceChildren(element("b", {}, moment.phase), ` ${now + 1} of ${moments.length}`);
  byId("slider").value = now;
  byId("slider").setAttribute("aria-valuetext", `${now + 1} of ${moments.length}, ${moment.phase}`);
  // Not disabled, which would take the focus from who presses them.
  const isLast = now === moments.length - 1;
  for (const id of ["first", "back"]) byId(id).setAttribute("aria-disabled", now === 0);
  for (const id of ["next", "last"]) byId(id).setAttribute("aria-disabled", isLast);
  draw(moment, grads);
}

function go(to) {
  now = Math.min(Math.max(to, 0), moments.length - 1);
  show();
  const { node = 0, step } = moments[now];
  if (step) reveal(...step.changes.map((change) => change.node), node);
  else reveal(node, ...nodes[node].operands);
}

function choose(i) {
  if (i === chosen) return;
  chosen = i;
  show();
  if (i !== null) reveal(i);
}

function pause() {
  clearInterval(timer);
  timer = null;
  document.documentElement.classList.remove("playing");
  byId("play").setAttribute("aria-label", "Play");
}

function play() {
  if (now === moments.length - 1) go(0);
  timer = setInterval(() => {
    go(now + 1);
    if (now === moments.length - 1) pause();
  }, 1000 * secondsPerMoment);
  document.documentElement.classList.add("playing");
  byId("play").setAttribute("aria-label", "Pause");
}

const toggle = () => (timer === null ? play() : pause());

function goByHand(to) {
  pause();
  go(to);
}

const keys = {
  ArrowLeft: () => goByHand(now - 1),
  ArrowRight: () => goByHand(now + 1),
  Home: () => goByHand(0),
  End: () => goByHand(moments.length - 1),
  " ": toggle,
  Escape: () => choose(null),
};

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const { target, key } = event;
  const box = target.closest("#drawing .value");
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (box && step) {
    const next = boxes[Number(box.dataset.node) + step];
    if (next) next.focus({ preventScroll: true });
  } else if (box && key === "Enter") {
    choose(Number(box.dataset.node));
  } else if (keys[key] && !(key === " " && target.tagName === "BUTTON")) {
    keys[key]();
  } else {
    return;
  }
  event.preventDefault();
}

document.title = `${nodes[root].name}: a graph, step by step`;
byId("title").replaceChildren("The graph of ", name(root), ", step by step");
prepareDrawing();
byId("slider").max = moments.length - 1;
byId("slider").parentNode.style.setProperty("--begins", `${(100 * seedAt) / (moments.length - 1)}%`);
byId("first").onclick = keys.Home;
byId("back").onclick = keys.ArrowLeft;
byId("play").onclick = toggle;
byId("next").onclick = keys.ArrowRight;
byId("last").onclick = keys.End;
byId("slider").oninput = (event) => goByHand(Number(event.target.value));
document.addEventListener("keydown", pressed);
show();
