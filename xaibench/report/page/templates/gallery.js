// The gallery: unpacks maps as they come into view, draws them over their images, and counts the
// pixels that a threshold marks.
(() => {
  "use strict";
  const section = document.getElementById("gallery");
  if (!section) return;
  const find = (selector) => section.querySelector(selector);
  const all = (selector, within = section) => [...within.querySelectorAll(selector)];
  const slider = find("#gallery-threshold");
  const scratch = document.createElement("canvas");
  const MISSED = 1, FALSE = 2, HIT = 3;
  let size, heat, samples = [], images = [], at = 0, look = "heat";

  // Bytes in the order red, green, blue, opacity, whatever the machine's.
  const colors = (bytes) => new Uint32Array(new Uint8ClampedArray(bytes).buffer);
  const tones = colors([0, 0, 0, 0, 86, 200, 255, 255, 213, 94, 0, 235, 255, 246, 190, 185]);

  // Patterns distinguish the parts without color: dots, stripes, and all filled.
  const tone = (part, x, y) =>
    (part === MISSED && (x % 6 > 2 || y % 6 > 2)) || (part === FALSE && (x + y) % 6 > 2)
      ? tones[0] : tones[part];

  async function unpack([differences, text]) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const pixels = new Uint8Array(await new Response(stream).arrayBuffer());
    if (differences > 1) for (let i = size; i < pixels.length; i++) pixels[i] += pixels[i - size];
    if (differences > 0) for (let i = 0; i < pixels.length; i++) if (i % size) pixels[i] += pixels[i - 1];
    return pixels;
  }

  // How many pixels each threshold marks, in all and inside of the mask.
  function count(levels, mask) {
    const marked = new Uint32Array(102), hits = new Uint32Array(102);
    levels.forEach((level, i) => { marked[level]++; if (mask && mask[i]) hits[level]++; });
    for (let k = 100; k >= 0; k--) { marked[k] += marked[k + 1]; hits[k] += hits[k + 1]; }
    return { levels, marked, hits };
  }

  // Rounded to single precision, as the scores are; hits[0] is the mask's size.
  const iouOf = ({ marked, hits }) => Math.fround(hits[at] / (marked[at] + hits[0] - hits[at]));

  function prepare(sample) {
    sample.ready ||= (async () => {
      await sample.picture.decode();
      sample.mask = sample.data.mask && await unpack(sample.data.mask);
      sample.maps = await Promise.all(sample.data.levels.map(async ([packed, highest]) =>
        ({ ...count(await unpack(packed), sample.mask), highest })));
      sample.tiles.forEach(describe);
      if (sample.near) paint(sample);
    })().catch(fail);
    return sample.ready;
  }

  function describe(tile) {
    const { name } = tile.figure.dataset, map = tile.sample.maps[tile.at];
    const why = tile.sample.data.undefined;
    const value = why ? NaN : iouOf(map);
    const words = why ? `IoU undefined (${why})` : `IoU ${value.toFixed(3)}`;
    if (tile.iou) {
      tile.iou.textContent = words;
      tile.iou.dataset.iou = value;
    }
    const where = `${name} for image ${tile.sample.name}`;
    const said = tile.iou ? `, ${words} at threshold ${slider.value}` : "";
    tile.canvas.setAttribute("aria-label", where + said);
    tile.stale = true;
  }

  function paint(sample) {
    if (!sample.maps) return;
    for (const tile of [...sample.tiles, ...sample.pair].filter((tile) => tile.stale && !tile.figure.hidden)) {
      const { canvas } = tile, { width, height } = canvas, pen = canvas.getContext("2d");
      const over = look === "heat" ? heated(tile) : divided(tile, width, height);
      scratch.width = over.width;
      scratch.height = over.height;
      scratch.getContext("2d").putImageData(over, 0, 0);
      pen.drawImage(sample.picture, 0, 0, width, height);
      pen.drawImage(scratch, 0, 0, width, height);
      tile.stale = false;
    }
  }

  function heated(tile) {
    const over = new ImageData(size, size), pixels = new Uint32Array(over.data.buffer);
    const { levels, highest } = tile.sample.maps[tile.at];
    // Probabilities are shown as they are, though thresholds are shares of their maximum.
    levels.forEach((level, i) => { pixels[i] = heat[Math.round(level * highest)]; });
    return over;
  }

  function divided(tile, width, height) {
    const over = new ImageData(width, height), pixels = new Uint32Array(over.data.buffer);
    const { levels } = tile.sample.maps[tile.at], { mask } = tile.sample;
    for (let y = 0, i = 0; y < height; y++) {
      const row = Math.floor((y + 0.5) * size / height) * size;
      for (let x = 0; x < width; x++, i++) {
        const from = row + Math.floor((x + 0.5) * size / width), marked = levels[from] >= at;
        pixels[i] = tone(mask ? FALSE * marked + mask[from] : HIT * marked, x, y);
      }
    }
    return over;
  }

  function redraw() {
    at = Math.round(100 * slider.value);
    look = find("[name=gallery-look]:checked").value;
    find("#gallery-at").value = (at / 100).toFixed(2);
    for (const legend of all(".gallery-legend")) legend.hidden = legend.dataset.look !== look;
    for (const sample of samples.filter((sample) => sample.maps)) {
      [...sample.tiles, ...sample.pair].forEach(describe);
      if (sample.near) paint(sample);
    }
  }

  function slide() {
    find("[value=binary]").checked = true;
    redraw();
  }

  const ticked = (name) => new Set(all(`#gallery-${name} input:checked`).map((box) => box.value));

  function filter() {
    const [label, reason, right] = ["class", "reason", "right"].map((name) => find(`#gallery-${name}`).value);
    const methods = ticked("method"), models = ticked("model");
    let count = 0, maps = 0;
    for (const sample of samples) {
      for (const { figure } of sample.tiles) {
        const { method, model, right: own } = figure.dataset;
        // What is the same for all models is neither right nor wrong.
        figure.hidden = !methods.has(method)
          || (model !== "" && (!models.has(model) || (right !== "" && own !== right)));
      }
      const left = sample.tiles.filter(({ figure }) => !figure.hidden);
      sample.left = left.some(({ figure }) => !right || figure.dataset.model) ? left.length : 0;
    }
    const fits = ({ article: { dataset }, left }) => left && (!label || dataset.class === label)
      && (!reason || dataset.reasons.split(" ").includes(reason));
    for (const image of images) {
      image.shown = [image.shown, ...image.samples].find(fits) || image.shown;
      for (const sample of image.samples) sample.article.hidden = sample !== image.shown || !fits(sample);
      count += !image.shown.article.hidden;
      maps += image.shown.article.hidden ? 0 : image.shown.left;
      if (image.shown.near) paint(image.shown);
    }
    find("#gallery-count").textContent = count
      ? `${count} of ${images.length} images are shown, with ${maps} maps.`
      : "No image is left: loosen a filter.";
  }

  // Another class of an image; filters that would hide it are loosened.
  function switchClass(image, name) {
    image.shown = image.samples.find(({ article }) => article.dataset.class === name);
    const { article: { dataset } } = image.shown;
    const label = find("#gallery-class"), reason = find("#gallery-reason");
    if (label.value && label.value !== dataset.class) label.value = "";
    if (reason.value && !dataset.reasons.split(" ").includes(reason.value)) reason.value = "";
    filter();
    find(`#${image.shown.article.getAttribute("aria-labelledby")} ~ .gallery-switch [aria-pressed=true]`).focus();
  }

  // The parts of a page that show one image, each for one of its classes; they share its picture.
  function gather() {
    const known = new Map();
    for (const sample of samples) {
      const { image } = sample.article.dataset;
      if (!known.has(image)) known.set(image, { samples: [], shown: sample });
      known.get(image).samples.push(sample);
    }
    images = [...known.values()];
    for (const image of images) {
      for (const sample of image.samples) {
        if (!sample.picture.src) sample.picture.src = image.shown.picture.src;
        for (const button of all(".gallery-switch button", sample.article)) {
          button.addEventListener("click", () => switchClass(image, button.value));
        }
      }
    }
  }

  // The value of each of an image's maps at the pixel that is pointed at.
  function point(sample, { clientX, clientY, currentTarget }) {
    if (!sample.maps) return;
    const box = currentTarget.getBoundingClientRect();
    const place = (at, from, length) => Math.min(size - 1, Math.max(0, Math.floor(size * (at - from) / length)));
    const pixel = place(clientY, box.top, box.height) * size + place(clientX, box.left, box.width);
    for (const tile of sample.tiles) {
      const { levels, highest } = sample.maps[tile.at];
      tile.value.textContent = (levels[pixel] * highest / 100).toFixed(2);
      tile.value.hidden = false;
    }
  }

  function makeReadable(sample) {
    for (const tile of sample.tiles) {
      const frame = tile.canvas.parentElement;
      tile.value = document.createElement("span");
      tile.value.className = "gallery-value";
      tile.value.hidden = true;
      frame.append(tile.value);
      frame.addEventListener("pointermove", (event) => point(sample, event));
      frame.addEventListener("pointerleave", () => { for (const each of sample.tiles) each.value.hidden = true; });
    }
  }

  const keyOf = ({ method, model }) => JSON.stringify([method, model]);

  // Two maps over one image, the second from the divider to the right.
  function makePair(sample, sides) {
    const figure = document.createElement("figure"), frame = document.createElement("div");
    const divider = document.createElement("input"), caption = document.createElement("figcaption");
    figure.className = "gallery-pair";
    frame.className = "gallery-frame";
    const { width, height } = sample.tiles[0].canvas;
    const pair = sides.map((tile) => {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      canvas.setAttribute("role", "img");
      frame.append(canvas);
      return { ...tile, canvas, iou: null, stale: true, figure: { dataset: tile.figure.dataset, hidden: false } };
    });
    Object.assign(divider, { type: "range", min: 0, max: 100, value: 50 });
    divider.setAttribute("aria-label", `divider between ${sides.map(({ figure: own }) => own.dataset.name).join(" and ")}`);
    divider.addEventListener("input", () => frame.style.setProperty("--cut", `${divider.value}%`));
    caption.textContent = sides.map(({ figure: own }) => own.dataset.name).join(" | ");
    figure.append(frame, divider, caption);
    sample.article.querySelector(".gallery-tiles").prepend(figure);
    return pair;
  }

  function comparePairs() {
    const keys = ["left", "right"].map((side) => find(`#gallery-pair-${side}`).value);
    for (const sample of samples) {
      sample.article.querySelector(".gallery-pair")?.remove();
      const sides = keys.map((key) => sample.tiles.find(({ figure }) => keyOf(figure.dataset) === key));
      sample.pair = sides.every(Boolean) ? makePair(sample, sides) : [];
      if (sample.maps) sample.pair.forEach(describe);
      if (sample.near) paint(sample);
    }
  }

  function offerPairs() {
    const names = new Map(samples.flatMap(({ tiles }) => tiles.map(({ figure }) => [keyOf(figure.dataset), figure.dataset.name])));
    for (const side of ["left", "right"]) {
      const choice = find(`#gallery-pair-${side}`);
      for (const [key, name] of names) choice.append(new Option(name, key));
      choice.addEventListener("change", comparePairs);
    }
  }

  function fail(error) {
    const trouble = find("#gallery-trouble");
    trouble.textContent = `The maps can't be unpacked (${error.message}); a newer browser can.`;
    trouble.hidden = false;
  }

  function drawLegend() {
    for (const canvas of all(".gallery-legend canvas")) {
      const { width, height } = canvas, over = new ImageData(width, height), { part } = canvas.dataset;
      const pixels = new Uint32Array(over.data.buffer);
      pixels.forEach((_, i) => {
        const x = i % width;
        pixels[i] = part === "heat" ? heat[Math.round(100 * x / (width - 1))] : tone(Number(part), x, (i - x) / width);
      });
      canvas.getContext("2d").putImageData(over, 0, 0);
    }
  }

  function listen() {
    slider.addEventListener("input", slide);
    for (const radio of all("[name=gallery-look]")) radio.addEventListener("change", redraw);
    for (const input of all(".gallery-filters :is(select, input)")) input.addEventListener("change", filter);
    for (const button of all(".gallery-boxes button")) {
      button.addEventListener("click", () => {
        for (const box of all("input", button.closest("details"))) box.checked = Boolean(button.value);
        filter();
      });
    }
    find("#gallery-outlines")?.addEventListener("change", ({ target }) => section.classList.toggle("bare", !target.checked));
    section.addEventListener("keydown", ({ key }) => {
      if (key !== "[" && key !== "]") return;
      if (key === "[") slider.stepDown(); else slider.stepUp();
      slide();
    });
    addEventListener("beforeprint", () => samples.forEach(paint));
  }

  function watch() {
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const sample = samples.find(({ article }) => article === target);
        sample.near = isIntersecting;
        if (isIntersecting) prepare(sample).then(() => paint(sample));
      }
    }, { rootMargin: "400px" });
    for (const { article } of samples) seen.observe(article);
  }

  // A busy machine may never be idle: half a second is waited at most.
  const rest = () => new Promise((done) => (window.requestIdleCallback || setTimeout)(done, { timeout: 500 }));

  async function start() {
    await rest();  // the page itself is painted first
    const data = JSON.parse(document.getElementById("gallery-data").textContent);
    size = data.size;
    heat = colors(data.heat.flat());
    samples = all(".gallery-sample").map((article, i) => {
      const sample = { article, data: data.samples[i], picture: article.querySelector("img"), pair: [] };
      sample.name = article.querySelector("h3").textContent;
      sample.tiles = all(".gallery-tile", article).map((figure) => ({
        figure, sample, at: Number(figure.dataset.levels), stale: true,
        canvas: figure.querySelector("canvas"), iou: figure.querySelector(".gallery-iou"),
      }));
      return sample;
    });
    section.classList.add("live");
    gather();
    samples.forEach(makeReadable);
    offerPairs();
    drawLegend();
    listen();
    redraw();
    filter();
    watch();
    // The rest follows while nothing else is to do, so that a print is whole.
    for (const sample of samples) await rest().then(() => prepare(sample));
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start); else start();
})();
