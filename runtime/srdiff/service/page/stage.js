// Zoom and pan of all layers in step: they share three numbers.

const STEP = 1.25;
const MOST = 8; // screen pixels per pixel of the picture
const MOST_WHOLE = 2; // the same, of the window's, where the whole picture is shown

/** What lies on the stage, and how; moveLine(x) gets the drags that move no picture. */
export class Stage {
  constructor(element, moveLine) {
    this.element = element;
    this.moveLine = moveLine;
    this.width = this.height = 1;
    this.whole = true;
    this.pointers = new Map();
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#drag(event));
    for (const kind of ["pointerup", "pointercancel"])
      element.addEventListener(kind, (event) => this.pointers.delete(event.pointerId));
    element.addEventListener("dblclick", (event) => (this.whole ? this.exact(...this.#at(event)) : this.fit()));
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#place()).observe(element);
  }

  /** The pictures are width x height from now on; where they were so before, zoom and place stay. */
  take(width, height) {
    if (width === this.width && height === this.height) return;
    Object.assign(this, { width, height });
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.element.style.maxWidth = `${width * MOST_WHOLE}px`;
    this.element.style.setProperty("--w", `${width}px`);
    this.element.style.setProperty("--h", `${height}px`);
    this.fit();
  }

  fit() {
    this.whole = true;
    this.#place();
  }

  /** One pixel of the picture is one of the screen; (x, y) of the stage stay where they are. */
  exact(x = this.element.clientWidth / 2, y = this.element.clientHeight / 2) {
    this.#zoom(1 / devicePixelRatio, x, y);
  }

  #fitting() {
    return Math.min(this.element.clientWidth / this.width, this.element.clientHeight / this.height);
  }

  #zoom(scale, x, y) {
    const most = Math.max(MOST / devicePixelRatio, this.#fitting());
    const next = Math.max(Math.min(scale, most), Math.min(this.#fitting(), 1 / devicePixelRatio));
    this.x = x - ((x - this.x) * next) / this.scale;
    this.y = y - ((y - this.y) * next) / this.scale;
    this.scale = next;
    this.whole = false;
    this.#place();
  }

  #place() {
    const { clientWidth, clientHeight, style } = this.element;
    if (this.whole) this.scale = this.#fitting();
    const inside = (at, room, size) => {
      const kept = size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at));
      return Math.round((kept || 0) * devicePixelRatio) / devicePixelRatio; // on whole pixels of the screen: sharp
    };
    this.x = inside(this.x, clientWidth, this.width * this.scale);
    this.y = inside(this.y, clientHeight, this.height * this.scale);
    style.setProperty("--x", `${this.x}px`);
    style.setProperty("--y", `${this.y}px`);
    style.setProperty("--s", this.scale);
    this.element.classList.toggle("larger", this.#larger());
  }

  #larger() {
    const { clientWidth, clientHeight } = this.element;
    return this.width * this.scale > clientWidth + 1 || this.height * this.scale > clientHeight + 1;
  }

  #at(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #press(event) {
    if (event.target.type === "range" || event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.#at(event));
    if (!this.#larger() && this.pointers.size === 1) this.moveLine(event.clientX);
  }

  #drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#at(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) this.#zoom((this.scale * distance(now, other)) / distance(before, other), ...middle(now, other));
    else if (this.#larger()) this.#move(now[0] - before[0], now[1] - before[1]);
    else this.moveLine(event.clientX);
  }

  #move(right, down) {
    this.x += right;
    this.y += down;
    this.#place();
  }

  #wheel(event) {
    if (!event.ctrlKey && !this.#larger()) return; // the page's own scrolling
    event.preventDefault();
    this.#zoom(this.scale * STEP ** (-event.deltaY / 100), ...this.#at(event));
  }

  #key(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = [this.element.clientWidth / 2, this.element.clientHeight / 2];
    const keys = {
      "+": () => this.#zoom(this.scale * STEP, ...middle),
      "-": () => this.#zoom(this.scale / STEP, ...middle),
      1: () => this.exact(),
      0: () => this.fit(),
      ArrowLeft: () => this.#move(60, 0),
      ArrowRight: () => this.#move(-60, 0),
      ArrowUp: () => this.#move(0, 60),
      ArrowDown: () => this.#move(0, -60),
    };
    if (!keys[event.key] || (event.key.startsWith("Arrow") && !this.#larger())) return;
    event.preventDefault();
    keys[event.key]();
  }
}

const distance = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
