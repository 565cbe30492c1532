// The page: settings, the photos of this tab, and the one that is looked at.
import { read } from "/page/api.js";
import { Photo } from "/page/photo.js";
import { slider } from "/page/slider.js";
import { Stage } from "/page/stage.js";

const AT_ONCE = 2; // one is worked on while the next one is sent
const get = (id) => document.getElementById(id);
const settings = get("settings").elements;
const stage = new Stage(get("stage"), slider(get("stage"), get("split")));
const items = new Map(); // photos of this tab with their entries in the list
const waiting = [];
let models = [];
let limits = { bytes: Infinity, samples: 1 };
let running = 0;
let looked = null;

async function describeService() {
  for (;;) {
    try {
      ({ models, limits } = await read("json", "/v1/models"));
      break;
    } catch (error) {
      get("engine").textContent = error.message;
      if (error.status === 401) return;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  settings.model.replaceChildren(...models.map(({ name }) => new Option(name)));
  settings.samples.max = limits.samples;
  const most = `up to ${limits.bytes >> 20} MiB and ${limits.pixels / 1e6} megapixels each`;
  get("limits").textContent = `${most}; larger ones can be shrunk first`;
  describeModel();
}

function describeModel() {
  const { scale, presets, default_preset: usual, steps, fidelity } = model();
  const fixed = steps === 1 ? "one step" : `${steps} steps`;
  settings.preset.replaceChildren(...(presets.length ? presets : [fixed]).map((name) => new Option(name)));
  settings.preset.disabled = !presets.length;
  if (usual) settings.preset.value = usual;
  get("dial").hidden = !fidelity;
  get("engine").textContent = `enlarges photos ${scale} times`;
}

function listen() {
  settings.model.addEventListener("change", describeModel);
  get("settings").addEventListener("submit", (event) => event.preventDefault());
  get("dice").addEventListener("click", () => (settings.seed.value = Math.floor(10000 * Math.random())));
  get("files").addEventListener("change", (event) => (add(event.target.files), (event.target.value = "")));
  document.addEventListener("paste", (event) => add(event.clipboardData.files));
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("dragged", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") add(event.dataTransfer.files);
    });
  get("fit").addEventListener("click", () => stage.fit());
  get("exact").addEventListener("click", () => stage.exact());
  get("part").addEventListener("change", () => draw(looked));
  get("download").addEventListener("click", () => (looked.made.home = true));
  get("invented").addEventListener("click", ({ target }) => {
    target.ariaPressed = String(target.ariaPressed !== "true");
    draw(looked);
  });
  window.addEventListener("beforeunload", (event) => {
    if ([...items.keys()].some((photo) => !photo.over || photo.made?.home === false)) event.preventDefault();
  });
}

const model = () => models.find(({ name }) => name === settings.model.value);

/** Of POST /v1/jobs, as the form has them. */
function chosen() {
  const said = { model: model().name, seed: settings.seed.value, format: settings.format.value };
  if (!settings.preset.disabled) said.preset = settings.preset.value;
  if (model().fidelity) said.fidelity = settings.fidelity.value;
  if (settings.samples.value > 1) Object.assign(said, { samples: settings.samples.value, uncertainty: true });
  return said;
}

async function add(files) {
  const photos = [...files].map((file) => new Photo(file, changed));
  await described;
  for (const photo of photos) items.set(photo, entryOf(photo));
  get("list").prepend(...photos.map((photo) => items.get(photo)));
  get("tab").hidden = !items.size;
  if (photos.length && begin(photos)) look(photos[0]);
}

/** Put photos into the queue with the settings of now, and maybe more; false where those are no settings. */
function begin(photos, more = {}) {
  const fits = models.length > 0 && get("settings").reportValidity();
  for (const photo of photos) {
    if (photo.file.size > limits.bytes) refuse(photo, `is larger than ${limits.bytes >> 20} MiB`);
    else if (fits) {
      photo.prepare({ ...chosen(), ...more }, model().scale);
      waiting.push(photo);
    } else if (!photo.settings)
      refuse(photo, models.length ? "correct the settings and press Again" : "reload the page first");
    changed(photo);
  }
  next();
  return fits;
}

const refuse = (photo, words) => Object.assign(photo, { state: "failed", words });

function next() {
  while (running < AT_ONCE && waiting.length) {
    const photo = waiting.shift();
    if (photo.over) continue;
    running += 1;
    photo.run().then(() => {
      running -= 1;
      get("told").textContent = `${photo.name}: ${photo.words}`;
      next();
    });
  }
}

function entryOf(photo) {
  const entry = get("item").content.firstElementChild.cloneNode(true);
  const part = (name) => entry.querySelector(name);
  part(".name").textContent = part("progress").ariaLabel = photo.name;
  for (const button of entry.querySelectorAll(".tools button"))
    button.ariaLabel = `${button.textContent} ${photo.name}`;
  part(".show").addEventListener("click", () => look(photo));
  part(".cancel").addEventListener("click", () => photo.cancel());
  part(".shrink").addEventListener("click", () => begin([photo], { shrink: true }) && look(photo));
  part(".again").addEventListener("click", () => begin([photo]) && look(photo));
  part(".remove").addEventListener("click", () => remove(photo));
  return entry;
}

function remove(photo) {
  const entry = items.get(photo);
  const other = entry.nextElementSibling ?? entry.previousElementSibling;
  photo.discard();
  entry.remove();
  items.delete(photo);
  (other?.querySelector(".show") ?? get("files")).focus();
  get("tab").hidden = !items.size;
  if (photo === looked) look([...items.keys()].at(-1) ?? null);
}

function look(photo) {
  if (photo !== looked) stage.fit();
  looked = photo;
  for (const [other, entry] of items) entry.ariaCurrent = String(other === photo);
  draw(photo);
}

/** A photo has something new to show. */
function changed(photo) {
  const entry = items.get(photo);
  if (!entry) return;
  const part = (name) => entry.querySelector(name);
  const bar = part("progress");
  const focused = document.activeElement;
  part(".words").textContent = photo.words;
  if (photo.before) setAddress(part(".thumb"), photo.before);
  bar.hidden = photo.over;
  if (photo.total) Object.assign(bar, { max: photo.total, value: photo.done });
  else bar.removeAttribute("value");
  entry.dataset.state = photo.state;
  part(".cancel").hidden = photo.over;
  part(".shrink").hidden = !photo.shrunk;
  part(".again").hidden = part(".remove").hidden = !photo.over;
  if (focused.hidden && entry.contains(focused)) part(".tools button:not([hidden])").focus();
  if (photo === looked) draw(photo);
}

/** Show a photo in the viewer. */
function draw(photo) {
  get("viewer").hidden = !photo?.before;
  if (!photo?.before) return;
  const made = photo.over ? photo.made : null;
  const { size, scale } = photo;
  stage.take(...(made ? [made.result.width, made.result.height] : size.map((side) => side * scale)));
  setAddress(get("before"), photo.before);
  const names = Object.keys(made?.parts ?? {}).filter((name) => name !== "uncertainty");
  const part = get("part");
  if (part.options.length !== names.length) part.replaceChildren(...names.map((name) => new Option(name)));
  get("choice").hidden = names.length < 2;
  const after = made?.parts[part.value || names[0]] ?? photo.preview;
  setAddress(get("after"), after);
  get("stage").classList.toggle("alone", !after);
  get("after").dataset.kind = made ? "result" : "preview";
  const doubt = made?.parts.uncertainty;
  const shown = get("invented").ariaPressed === "true";
  get("invented").hidden = !doubt;
  setAddress(get("doubt"), shown ? doubt : null);
  get("legend").hidden = !doubt || !shown;
  const link = get("download");
  link.hidden = !made;
  if (made) {
    link.href = after;
    link.download = nameOf(photo, names.length > 1 ? `_${part.value}` : "");
  }
  get("facts").textContent = made ? factsOf(made.result.facts) : photo.words;
}

function setAddress(image, address) {
  image.hidden = !address;
  if (address && image.getAttribute("src") !== address) image.src = address;
}

/** The whole name stays in it where two photos differ in nothing but the ending, as with srdiff-run. */
function nameOf({ name, made: { settings, scale } }, sample) {
  const stem = (text) => text.replace(/\.[^.]*$/, "");
  const alike = [...items.keys()].some((other) => other.name !== name && stem(other.name) === stem(name));
  const larger = settings.shrink ? "_larger" : `_x${scale}`;
  return `${alike ? name : stem(name)}${larger}${sample}.${settings.format}`;
}

function factsOf(facts) {
  const keys = ["Size", "Model", "Sampler", "Engine", "Device", "Precision"];
  const said = keys.map((key) => facts[`SRDiff-${key}`]).join(", ");
  const lost = facts["SRDiff-Not-Kept"];
  const shrunk = facts["SRDiff-Shrunk"];
  return `${said}, seed ${facts["SRDiff-Seed"]}, ${facts["SRDiff-Seconds"]} s`
    + (shrunk ? `; shrunk to ${shrunk} first` : "") + (lost ? `; not kept: ${lost}` : "");
}

listen();
const described = describeService();
