"use strict";
// Search, what a table in a picture is made of, and how long ago things were; all else works without it.

const MOST = 40, STALE_HOURS = 24;

function ago(seconds) {
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]])
    if (seconds >= length) {
      const count = Math.floor(seconds / length);
      return `${count} ${unit}${count === 1 ? "" : "s"}`;
    }
  return "moments";
}

function tellAges() {
  for (const one of document.querySelectorAll("time")) {
    const seconds = (Date.now() - Date.parse(one.dateTime)) / 1000;
    if (seconds >= 0) one.append(`, ${ago(seconds)} ago`);
  }
  const built = document.querySelector("footer time");
  const seconds = (Date.now() - Date.parse(built.dateTime)) / 1000;
  const stale = document.getElementById("stale");
  stale.hidden = seconds < STALE_HOURS * 3600;
  stale.querySelector("span").textContent = ago(seconds);
}

function search() {
  const input = document.getElementById("search"), list = document.getElementById("found");
  let chosen = 0;

  function matches(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const rank = ([name]) => {
      const last = name.toLowerCase().split(".").pop();
      return words.every((w) => last.startsWith(w)) ? 0 : words.every((w) => name.toLowerCase().includes(w)) ? 1 : 2;
    };
    return window.ENTRIES.filter((entry) => words.every((w) => entry.join(" ").toLowerCase().includes(w)))
      .map((entry) => [rank(entry), entry]).sort((a, b) => a[0] - b[0] || a[1][0].length - b[1][0].length).map((pair) => pair[1]);
  }

  function show() {
    const all = matches(input.value), shown = all.slice(0, MOST);
    chosen = Math.max(0, Math.min(chosen, shown.length - 1));
    list.replaceChildren(...shown.map(([name, page, kind, text], place) => {
      const item = document.createElement("li"), link = document.createElement("a"), told = document.createElement("span");
      link.href = page;
      told.className = "dim";
      told.textContent = ` ${kind} ${text}`;
      link.append(name, told);
      item.append(link);
      item.classList.toggle("chosen", place === chosen);
      return item;
    }));
    if (input.value.trim() && all.length !== shown.length || input.value.trim() && !all.length) {
      const item = document.createElement("li");
      item.className = "dim";
      item.textContent = all.length ? `and ${all.length - shown.length} more` : "nothing found";
      list.append(item);
    }
    list.hidden = !list.children.length;
    list.querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
  }

  input.addEventListener("input", () => { chosen = 0; show(); });
  input.addEventListener("focus", show);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      chosen += event.key === "ArrowDown" ? 1 : -1;
      show();
      event.preventDefault();
    } else if (event.key === "Enter") {
      list.querySelector(".chosen a")?.click();
      list.hidden = true;
    } else if (event.key === "Escape") list.hidden = true;
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".search")) list.hidden = true; });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== input) { input.focus(); event.preventDefault(); }
  });
}

function light(graph) {
  const edges = [...graph.querySelectorAll(".edge")], boxes = [...graph.querySelectorAll(".box")];
  function reach(name, from, to) {
    const names = new Set([name]), found = new Set();
    for (const one of names)
      for (const edge of edges)
        if (edge.dataset[from] === one) { found.add(edge); names.add(edge.dataset[to]); }
    return [names, found];
  }
  function on(name) {
    const [up, upEdges] = reach(name, "to", "from"), [down, downEdges] = reach(name, "from", "to");
    for (const box of boxes) box.classList.toggle("on", up.has(box.dataset.name) || down.has(box.dataset.name));
    for (const edge of edges) edge.classList.toggle("on", upEdges.has(edge) || downEdges.has(edge));
    graph.classList.add("lit");
  }
  for (const box of boxes) {
    for (const event of ["mouseenter", "focus"]) box.addEventListener(event, () => on(box.dataset.name));
    for (const event of ["mouseleave", "blur"]) box.addEventListener(event, () => graph.classList.remove("lit"));
  }
  const here = graph.querySelector(".here");
  if (here) graph.scrollLeft = here.getBBox().x - graph.clientWidth / 2;
}

tellAges();
search();
document.querySelectorAll(".graph").forEach(light);
