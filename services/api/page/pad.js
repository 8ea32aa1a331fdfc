// Paper to write on: black ink on white, whatever the page looks like.

import { byId } from "./elements.js";

const THIN = 1.6;
const THICK = 4.2;
const STEADY = 2.6;
const MARGIN = 16;

export class Pad {
  #canvas = byId("canvas");
  #pen = this.#canvas.getContext("2d");
  #strokes = [];
  #stroke = null;
  #cleared = [];
  #written = 0;
  #pens = false;

  /** `onread(file)`: somebody wants it read. */
  constructor(onread) {
    this.onread = onread;
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => this.#up(event));
    }
    canvas.addEventListener("pointercancel", (event) => this.#cancel(event));
    byId("pad").addEventListener("keydown", (event) => this.#key(event));
    byId("pad-undo").addEventListener("click", () => this.undo());
    byId("pad-clear").addEventListener("click", () => this.clear());
    byId("pad-read").addEventListener("click", () => this.read());
    new ResizeObserver(() => this.#fit()).observe(canvas);
  }

  get empty() {
    return !this.#strokes.length;
  }

  /** Take back the last stroke, or that everything was cleared. */
  undo() {
    if (this.empty) [this.#strokes, this.#cleared] = [this.#cleared, []];
    else this.#strokes.pop();
    this.#stroke = null;
    this.#redraw();
  }

  clear() {
    this.#cleared = this.#strokes;
    this.#strokes = [];
    this.#stroke = null;
    this.#redraw();
  }

  async read() {
    if (!this.#strokes.length) return;
    const image = this.#image();
    this.clear(); // at once: what is written meanwhile is the next
    this.#cleared = [];
    this.#told();
    this.onread(new File([await image], `writing-${++this.#written}.png`, { type: "image/png" }));
  }

  #down(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    // who writes with a pen rests the hand on the paper, often before the pen
    const pen = event.pointerType === "pen";
    this.#pens ||= pen;
    if (event.pointerType === "touch" && this.#pens) return;
    if (this.#stroke && !(pen && this.#stroke.touch)) return;
    if (this.#stroke) this.undo();
    this.#canvas.focus({ preventScroll: true });
    this.#canvas.setPointerCapture(event.pointerId);
    const touch = event.pointerType === "touch";
    this.#stroke = { pointer: event.pointerId, touch, points: [this.#point(event)] };
    this.#strokes.push(this.#stroke);
    this.#ink(this.#pen, this.#stroke.points);
    this.#told();
  }

  #move(event) {
    if (this.#stroke?.pointer !== event.pointerId) return;
    const { points } = this.#stroke;
    const from = points.length - 1;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) points.push(this.#point(each));
    this.#ink(this.#pen, points.slice(Math.max(0, from - 1)));
  }

  /** A palm that is lifted ends no stroke of the pen. */
  #up(event) {
    if (this.#stroke?.pointer === event.pointerId) this.#stroke = null;
  }

  /** The system has found that it was no writing: a palm, or the page being moved. */
  #cancel(event) {
    if (this.#stroke?.pointer === event.pointerId) this.undo();
  }

  #key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.read();
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else return;
    event.preventDefault();
  }

  #point({ clientX, clientY, pressure, pointerType }) {
    const box = this.#canvas.getBoundingClientRect();
    // a mouse says 0.5 while it is pressed, a finger often the same always
    const width = pointerType === "pen" ? THIN + (THICK - THIN) * pressure : STEADY;
    return { x: clientX - box.left, y: clientY - box.top, width };
  }

  /** Points as a smooth line: through the middle of each two, the points themselves pull at it. */
  #ink(pen, points) {
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = pen.fillStyle = "#000";
    if (points.length === 1) {
      const [{ x, y, width }] = points;
      pen.beginPath();
      pen.arc(x, y, width / 2, 0, 2 * Math.PI);
      pen.fill();
      return;
    }
    let start = points[0];
    for (let at = 1; at < points.length; at++) {
      const [before, point] = [points[at - 1], points[at]];
      const last = at === points.length - 1;
      const end = last ? point : { x: (before.x + point.x) / 2, y: (before.y + point.y) / 2 };
      pen.lineWidth = (before.width + point.width) / 2;
      pen.beginPath();
      pen.moveTo(start.x, start.y);
      pen.quadraticCurveTo(before.x, before.y, end.x, end.y);
      pen.stroke();
      start = end;
    }
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#canvas;
    const scale = devicePixelRatio || 1;
    this.#canvas.width = Math.round(clientWidth * scale);
    this.#canvas.height = Math.round(clientHeight * scale);
    this.#pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.#redraw();
  }

  #redraw() {
    const { width, height } = this.#canvas;
    this.#pen.clearRect(0, 0, width, height);
    for (const { points } of this.#strokes) this.#ink(this.#pen, points);
    this.#told();
  }

  #told() {
    const { empty } = this;
    byId("pad-hint").hidden = !empty;
    // a button that has the focus keeps it for what comes next
    const focused = document.activeElement;
    for (const id of ["pad-clear", "pad-read"]) byId(id).disabled = empty;
    byId("pad-undo").disabled = empty && !this.#cleared.length;
    if (focused?.disabled) this.#canvas.focus({ preventScroll: true });
  }

  /** What was written and a margin around it, twice as fine as on the page: the line is not in it. */
  #image() {
    const points = this.#strokes.flatMap((stroke) => stroke.points);
    const [xs, ys] = ["x", "y"].map((axis) => points.map((point) => point[axis]));
    const [left, top] = [Math.min(...xs) - MARGIN, Math.min(...ys) - MARGIN];
    const scale = 2;
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil((Math.max(...xs) - left + MARGIN) * scale);
    canvas.height = Math.ceil((Math.max(...ys) - top + MARGIN) * scale);
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
    for (const stroke of this.#strokes) this.#ink(pen, stroke.points);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }
}
