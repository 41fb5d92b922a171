// Sorting, filtering, tie groups, theme, copying. Without it the page is whole, and still.
(() => {
  "use strict";
  const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/i;

  function keyOf(cell) {
    if (!cell) return null;
    if ("value" in cell.dataset) return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    const text = cell.textContent.trim();
    if (text === "" || text.startsWith("—")) return null;
    const found = NUMBER.exec(text);
    return found ? Number(found[0]) : text;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  // What is undefined is last in either direction; equal rows stay as they were.
  function sortBody(body, column, way) {
    const rows = Array.from(body.rows, (row) => [keyOf(row.cells[column]), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return way * compare(a, b);
    });
    body.append(...rows.map(([, row]) => row));
  }

  function sortTable(table, head) {
    const now = head.getAttribute("aria-sort");
    const first = head.dataset.order || "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = now === first ? other : first;
    for (const each of head.parentElement.cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    for (const body of table.tBodies) {
      if (!body.classList.contains("lead")) {
        sortBody(body, head.cellIndex, order === "ascending" ? 1 : -1);
      }
    }
  }

  function makeSortable(table) {
    for (const head of table.tHead.rows[0].cells) {
      const name = head.querySelector(".name") || head;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...name.childNodes);
      name.append(button);
      button.addEventListener("click", () => sortTable(table, head));
    }
  }

  // Rows that share a letter of a column stand out while it is pointed at, focused or pressed.
  function showTies(table, badge) {
    table.classList.toggle("sharing", Boolean(badge));
    const column = badge ? badge.closest("td, th").cellIndex : -1;
    for (const body of table.tBodies) {
      for (const row of body.rows) {
        const letters = badge ? (row.cells[column]?.dataset.ties || "").split(" ") : [];
        row.classList.toggle("shared", Boolean(badge) && letters.includes(badge.dataset.tie));
      }
    }
  }

  function makeTies(table) {
    const pressed = () => table.querySelector(".tie[aria-pressed=true]");
    for (const kind of ["pointerover", "focusin"]) {
      table.addEventListener(kind, (event) => {
        const badge = event.target.closest(".tie");
        if (badge) showTies(table, badge);
      });
    }
    for (const kind of ["pointerout", "focusout"]) {
      table.addEventListener(kind, (event) => {
        if (event.target.closest(".tie")) showTies(table, pressed());
      });
    }
    table.addEventListener("click", (event) => {
      const badge = event.target.closest("button.tie");
      if (!badge) return;
      const before = pressed();
      if (before) before.setAttribute("aria-pressed", "false");
      if (badge !== before) badge.setAttribute("aria-pressed", "true");
      showTies(table, pressed());
    });
  }

  function filter(form, tables) {
    const words = form.elements.words.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = Array.from(form.querySelectorAll("[name=kind]:checked"), (box) => box.value);
    const chosen = Array.from(form.querySelectorAll("select"), (box) => [box.name, box.value]);
    const said = tables.map((table) => {
      const rows = Array.from(table.querySelectorAll("tr[data-kind]"));
      for (const row of rows) {
        const { kind, method, model, supervision = "" } = row.dataset;
        const named = `${row.cells[0].textContent} ${row.cells[1].textContent}`;
        const text = `${method} ${model} ${supervision} ${named}`.toLowerCase();
        row.hidden = !(
          kinds.includes(kind) &&
          // A control that is the same beside every model belongs to all of them.
          chosen.every(([name, value]) => !value || !row.dataset[name] || row.dataset[name] === value) &&
          words.every((word) => text.includes(word))
        );
      }
      const shown = rows.filter((row) => !row.hidden).length;
      return `${table.caption.textContent}: ${shown} of ${rows.length} rows`;
    });
    form.querySelector("output").textContent = said.join("; ");
  }

  function makeFilter(form) {
    const tables = Array.from(form.closest(".block").querySelectorAll("table.board"));
    form.hidden = false;
    form.addEventListener("input", () => filter(form, tables));
    form.addEventListener("submit", (event) => event.preventDefault());
    filter(form, tables);
  }

  function makeTheme(button) {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
    const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("xaibench-theme", root.dataset.theme); } catch { /* kept here only */ }
      name();
    });
    system.addEventListener("change", name);
    name();
  }

  function makeCopy(button) {
    const source = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        // Some browsers keep the clipboard from files: then it stays selected.
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
    });
  }

  // In the table of contents the part that is being read is marked.
  function markCurrent(links) {
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        for (const link of links) {
          if (link.hash === `#${target.id}`) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        }
      }
    }, { rootMargin: "-10% 0px -80% 0px" });
    for (const section of document.querySelectorAll("main > section")) seen.observe(section);
  }

  function openForPrint() {
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = Array.from(document.querySelectorAll("details:not([open])"));
      for (const each of closed) each.open = true;
    });
    addEventListener("afterprint", () => { for (const each of closed) each.open = false; });
  }

  // What a link leads to is opened, and all that it is in.
  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const part = target.querySelector(":scope > details.part");
    if (part) part.open = true;
    for (let at = target.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
    target.scrollIntoView();
  }

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll("table.board").forEach(makeTies);
  document.querySelectorAll("form.filters").forEach(makeFilter);
  document.querySelectorAll("button.theme").forEach(makeTheme);
  document.querySelectorAll("button.copy").forEach(makeCopy);
  markCurrent(Array.from(document.querySelectorAll("nav a")));
  openForPrint();
  addEventListener("hashchange", openTarget);
  openTarget();
})();
