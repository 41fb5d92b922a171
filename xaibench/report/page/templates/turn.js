"use strict";
// Points in space: dragging or the arrow keys turn them. Without scripts the still picture remains.
(() => {
  const WIDTH = 560, HEIGHT = 430, STEP = Math.PI / 24, FIRST = [-0.6, 0.35];
  const CORNERS = [[-1, -1, -1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]];
  const PATHS = {
    o: (pen, x, y, r) => pen.arc(x, y, r, 0, 2 * Math.PI),
    s: (pen, x, y, r) => pen.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r),
    D: (pen, x, y, r) => polygon(pen, x, y, 1.2 * r, 4, 0),
    "^": (pen, x, y, r) => polygon(pen, x, y, 1.3 * r, 3, -Math.PI / 2),
    v: (pen, x, y, r) => polygon(pen, x, y, 1.3 * r, 3, Math.PI / 2),
    X: (pen, x, y, r) => polygon(pen, x, y, 1.3 * r, 6, 0),
    "<": (pen, x, y, r) => polygon(pen, x, y, 1.3 * r, 3, Math.PI),
    P: (pen, x, y, r) => polygon(pen, x, y, 1.2 * r, 5, -Math.PI / 2),
    "*": (pen, x, y, r) => polygon(pen, x, y, 1.2 * r, 8, 0),
  };

  function polygon(pen, x, y, r, sides, start) {
    for (let n = 0; n < sides; n++) {
      const angle = start + (2 * Math.PI * n) / sides;
      pen[n ? "lineTo" : "moveTo"](x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
    pen.closePath();
  }

  function prepare(holder) {
    const found = JSON.parse(holder.textContent), figure = holder.closest("figure");
    const still = figure.querySelector(".drawing"), canvas = document.createElement("canvas");
    const sharp = Math.max(window.devicePixelRatio || 1, 1), pen = canvas.getContext("2d");
    let [yaw, pitch] = FIRST, held = null;
    canvas.width = WIDTH * sharp;
    canvas.height = HEIGHT * sharp;
    canvas.className = "turning";
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${still.getAttribute("aria-label")}. Arrow keys turn it, Home turns it back.`);

    // The second number is the height on the page, the third the depth.
    function place([x, y, z]) {
      const along = x * Math.cos(yaw) - y * Math.sin(yaw);
      const behind = x * Math.sin(yaw) + y * Math.cos(yaw);
      const up = z * Math.cos(pitch) - behind * Math.sin(pitch);
      const depth = behind * Math.cos(pitch) + z * Math.sin(pitch);
      const scale = 0.27 * HEIGHT * (4.5 / (4.5 + depth));
      return [WIDTH / 2 + along * scale, HEIGHT / 2 - up * scale, depth];
    }

    function line(from, to) {
      const [a, b] = [place(from), place(to)];
      pen.beginPath();
      pen.moveTo(a[0], a[1]);
      pen.lineTo(b[0], b[1]);
      pen.stroke();
    }

    function draw() {
      pen.setTransform(sharp, 0, 0, sharp, 0, 0);
      pen.globalAlpha = 1;
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, WIDTH, HEIGHT);
      pen.strokeStyle = "#bbb";
      pen.fillStyle = "#333";
      pen.font = "12px sans-serif";
      found.axes.forEach((name, axis) => {
        line(CORNERS[0], CORNERS[axis + 1]);
        const end = CORNERS[axis + 1].map((value, at) => (at === axis ? 1.12 : value));
        const [x, y] = place(end);
        pen.fillText(name, x - pen.measureText(name).width / 2, y + 4);
      });
      const dots = found.clouds.flatMap((cloud) => cloud.points.map((point) => [place(point), cloud]));
      dots.sort((one, other) => other[0][2] - one[0][2]);
      const size = Math.min(Math.max(60 / Math.sqrt(dots.length), 2), 5);
      for (const [[x, y, depth], { color, shape }] of dots) {
        pen.globalAlpha = 0.85 - 0.25 * Math.min(Math.max((depth + 1) / 2, 0), 1);
        pen.fillStyle = color;
        pen.beginPath();
        PATHS[shape](pen, x, y, size * (4.5 / (4.5 + depth)));
        pen.fill();
      }
      canvas.dataset.view = `${yaw.toFixed(3)} ${pitch.toFixed(3)}`;
    }

    function turn(right, up) {
      yaw += right;
      pitch = Math.min(Math.max(pitch + up, -Math.PI / 2), Math.PI / 2);
      draw();
    }

    const keys = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Home") [yaw, pitch] = FIRST;
      else if (!keys[event.key]) return;
      event.preventDefault();
      turn(...(keys[event.key] || [0, 0]));
    });
    canvas.addEventListener("pointerdown", (event) => {
      held = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) return;
      turn((event.clientX - held[0]) / 120, (event.clientY - held[1]) / 120);
      held = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });
    still.hidden = true;
    still.after(canvas, key(found.clouds));
    draw();
  }

  function key(clouds) {
    const list = document.createElement("ul");
    list.className = "clouds";
    for (const { name, color, shape } of clouds) {
      const entry = document.createElement("li"), mark = document.createElement("canvas");
      mark.width = mark.height = 24;
      const pen = mark.getContext("2d");
      pen.fillStyle = color;
      pen.beginPath();
      PATHS[shape](pen, 12, 12, 8);
      pen.fill();
      mark.setAttribute("aria-hidden", "true");
      entry.append(mark, name);
      list.append(entry);
    }
    return list;
  }

  document.querySelectorAll("script.space").forEach(prepare);
})();
