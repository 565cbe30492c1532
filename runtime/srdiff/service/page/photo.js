// One photo on its way: sent, followed, fetched; sent again where the service was started anew.
import { ask, events, pause, read, Refusal } from "/page/api.js";

const OVER = ["done", "failed", "cancelled"];
const PASSING = [0, 408, 429, 502, 503, 504]; // statuses that mean later: of the service, or of a proxy before it
const OPACITY = 0.7; // of the layer over what is invented, so that the picture shows through

/**
 * state is waiting, sending, queued, running, done, failed or cancelled; words say it to a person.
 * made is the latest result, which stays until there is another: its parts by name, what the service says of it, the
 * settings and the scale that it was made with, and whether it was taken home. before, preview and the parts are
 * addresses of pictures in this tab's memory. shrunk is what the service offers to do with one that is too large.
 */
export class Photo {
  constructor(file, changed) {
    this.file = file;
    this.name = file.name || "pasted.png";
    this.changed = changed;
    this.addresses = new Set();
    this.made = null;
  }

  /** Make ready for another run. settings are those of POST /v1/jobs; scale is the model's. */
  prepare(settings, scale) {
    this.settings = settings;
    this.scale = scale;
    this.stop = new AbortController();
    if (this.preview) this.#release(this.preview);
    Object.assign(this, { state: "waiting", words: "waits for its turn", id: null, preview: null });
    Object.assign(this, { done: 0, total: 0, shrunk: null });
  }

  get over() {
    return OVER.includes(this.state);
  }

  /** Enlarge it; never throws. */
  async run() {
    const signal = this.stop.signal;
    try {
      this.content ??= await contentOf(this.file);
      await (this.shown ??= this.#show(signal));
      for (let fetched = false; !fetched; ) {
        const query = new URLSearchParams({ ...this.settings, name: this.name });
        this.#say("sending", "is being sent");
        const request = () => read("json", `/v1/jobs?${query}`, { method: "POST", body: this.content, signal });
        this.id = (await this.#patiently(request)).id;
        const end = await this.#follow(signal);
        if (end.state === "failed") throw new Refusal(end.problem.status, end.problem.detail);
        fetched = end.state === "done" && (await this.#fetch(end.result, signal));
      }
      const { width, height } = this.made.result;
      this.#say("done", `${width}×${height} pixels, seed ${this.settings.seed}`);
    } catch (error) {
      this.shown = this.before && this.shown;
      this.shrunk = error.shrunk;
      if (signal.aborted) this.#say("cancelled", "was cancelled");
      else this.#say("failed", this.shrunk ? offerOf(this) : error.message);
    }
  }

  cancel() {
    this.stop.abort();
    if (this.state === "waiting") this.#say("cancelled", "was cancelled");
    else if (this.id) ask(`/v1/jobs/${this.id}`, { method: "DELETE" }).catch(() => {});
  }

  /** Let go of its pictures. */
  discard() {
    if (!this.over) this.cancel();
    for (const address of this.addresses) this.#release(address);
  }

  /** The picture before; by the service where this browser cannot show its format. */
  async #show(signal) {
    let address = this.#keep(this.content);
    let size = await sizeOf(address);
    if (!size) {
      this.#release(address);
      const path = `/v1/decoded?${new URLSearchParams({ name: this.name })}`;
      const request = () => read("blob", path, { method: "POST", body: this.content, signal });
      address = this.#keep(await this.#patiently(request));
      size = await sizeOf(address);
    }
    this.before = address;
    this.size = size;
    this.changed(this);
  }

  /** Events until the job is over; {} where the service no longer knows it. */
  async #follow(signal) {
    let last = {};
    while (!OVER.includes(last.state)) {
      const listen = () =>
        events(`/v1/jobs/${this.id}/events`, signal, (kind, data) => {
          if (kind === "preview") return this.#preview(data);
          last = JSON.parse(data);
          if (!OVER.includes(last.state)) this.#tell(last);
        });
      try {
        await this.#patiently(listen);
      } catch (error) {
        if (error.status === 404) return {};
        throw error;
      }
    }
    return last;
  }

  #tell({ state, place, done, total, seconds_left: left }) {
    Object.assign(this, { done, total });
    const time = left > 1 ? `, about ${Math.ceil(left)} s left` : "";
    if (state === "queued") this.#say(state, `number ${place} in the line${time}`);
    else this.#say(state, total ? `step ${done} of ${total}${time}` : "begins");
  }

  #preview(base64) {
    const old = this.preview;
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    this.preview = this.#keep(new Blob([bytes], { type: "image/png" }));
    this.changed(this);
    if (old) setTimeout(() => this.#release(old), 2000); // it is shown until the new one is decoded
  }

  /** Take a result in place of the one before; false where it is kept no longer. */
  async #fetch(result, signal) {
    const parts = {};
    try {
      for (const part of Object.keys(result.parts)) {
        const path = `/v1/jobs/${this.id}/result?part=${part}`;
        parts[part] = await this.#patiently(() => read("blob", path, { signal }));
      }
    } catch (error) {
      if ([404, 410].includes(error.status)) return false;
      throw error;
    }
    if (parts.uncertainty) parts.uncertainty = await orange(parts.uncertainty);
    for (const address of Object.values(this.made?.parts ?? {})) this.#release(address);
    for (const part of Object.keys(parts)) parts[part] = this.#keep(parts[part]);
    this.made = { parts, result, settings: this.settings, scale: this.scale, home: false };
    return true;
  }

  /** Try until there is room, or somebody there. */
  async #patiently(request) {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (!PASSING.includes(error.status)) throw error;
        this.#say(this.state, error.message);
        await pause(Math.min(error.retryAfter ?? 2, 30), this.stop.signal);
      }
    }
  }

  #say(state, words) {
    Object.assign(this, { state, words });
    this.changed(this);
  }

  #keep(blob) {
    const address = URL.createObjectURL(blob);
    this.addresses.add(address);
    return address;
  }

  #release(address) {
    URL.revokeObjectURL(address);
    this.addresses.delete(address);
  }
}

/** What could be made of a photo that is too large. */
function offerOf({ size, shrunk: { width, height, scale, seconds } }) {
  const time = seconds > 1 ? `, in about ${Math.ceil(seconds)} s` : "";
  return `is too large here, with ${size.join("×")} pixels; shrunk to ${width}×${height} first, it becomes `
    + `${width * scale}×${height * scale}${time}`;
}

/** A file's bytes as they are now: it may be changed, moved or no file at all, and a request would not tell that. */
async function contentOf(file) {
  const bytes = await file.arrayBuffer().catch(() => {
    throw new Refusal(400, "cannot be read; choose it again");
  });
  return new Blob([bytes], { type: file.type });
}

/** [width, height] of a picture, upright; null for one that this browser cannot show. */
async function sizeOf(address) {
  const image = new Image();
  image.src = address;
  return image.decode().then(() => [image.naturalWidth, image.naturalHeight], () => null);
}

/** A grey picture as orange, the less transparent the lighter the grey. */
async function orange(grey) {
  const picture = await createImageBitmap(grey);
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set([255, 120, 0, OPACITY * pixels.data[at]], at);
  context.putImageData(pixels, 0, 0);
  return canvas.convertToBlob();
}
